"""The library on a real GPU. Without CUDA each of these tests is skipped by its name."""

import json
import os
import subprocess
import sys

import pytest
import torch

from mrvae_lib.analysis.evaluation import encode_set, evaluate
from mrvae_lib.analysis.factor_scores import factor_scores
from mrvae_lib.config import load_config
from mrvae_lib.data import ImageSet
from mrvae_lib.interactive import LatentExplorer
from mrvae_lib.interactive.html_export import export_html
from mrvae_lib.training.checkpoints import load_model
from mrvae_lib.training.loop import train
from mrvae_lib.training.run import start
from tests.conftest import ROOT, History, tiny_images, tiny_model, tiny_run
from tests.test_training import StopAfter, weights_of

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")]


def command(*arguments, prefix=()):
    return subprocess.run([sys.executable, *prefix, "-m", "mrvae_lib", *map(str, arguments)], capture_output=True, text=True,
                          check=False, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_on_the_gpu_learns_and_ends_near_the_same_run_on_the_processor(precision):
    histories = {}
    for device in ("cpu", "cuda"):
        histories[device] = History()
        train(tiny_run(device=device, precision=precision, epochs=30, lr=0.01), images=tiny_images(128), callbacks=[histories[device]])
    first, last = histories["cuda"].rows[0], histories["cuda"].rows[-1]
    assert last["reconstruction"] < first["reconstruction"]
    assert last["neg_elbo"] == pytest.approx(histories["cpu"].rows[-1]["neg_elbo"], rel=0.05)


@pytest.mark.parametrize(("network", "error"), [("mlp", 1e-4), ("conv", 1e-2)])  # convolutions may round as TF32
def test_the_gpu_computes_what_the_processor_computes(network, error):
    model, x = tiny_model(network=network, shape=(1, 16, 16)), tiny_images(8, shape=(1, 16, 16)).floats()
    z, b = torch.randn(8, 2), torch.ones(8, 3)
    on_cpu = [*vars(model.encode(x)).values(), model.decode(z, b), model.reconstruction_loss(x, z, b[None])]
    model.cuda()
    on_gpu = [*vars(model.encode(x)).values(), model.decode(z, b), model.reconstruction_loss(x, z, b[None])]
    for cpu, gpu in zip(on_cpu, on_gpu, strict=True):
        torch.testing.assert_close(gpu.cpu(), cpu, rtol=error, atol=error)


def test_a_checkpoint_goes_from_the_gpu_to_the_processor_and_back(tmp_path):
    for device, stop in (("cuda", 6), ("cpu", 9), ("cuda", 13)):
        train(tiny_run(device=device), tmp_path, images=tiny_images(), callbacks=[StopAfter(stop)])
        run = start(tiny_run(device="cuda"), tmp_path, images=tiny_images())
        assert run.step == stop
        assert all(state["exp_avg"].is_cuda for state in run.optimizer.state.values())
    model = train(tiny_run(device="cuda"), tmp_path, images=tiny_images())
    assert torch.equal(weights_of(model), weights_of(load_model(tmp_path)))


def test_a_model_on_the_gpu_is_scored_explored_and_exported(tmp_path):
    images, model = tiny_images(200), tiny_model()
    before = evaluate(model, images, images)
    after = evaluate(model.cuda(), images, images)
    assert after["neg_elbo"] == pytest.approx(before["neg_elbo"], rel=1e-3)
    codes = encode_set(model, images)
    factors = torch.stack([images.labels, torch.arange(200) % 3], dim=1)
    assert factor_scores(codes.mu.numpy(), codes.bits.numpy(), factors.numpy())
    explorer = LatentExplorer(model, ImageSet("tiny", images.images, images.labels, images.label_names))
    first = explorer.decoded.picture.value
    explorer.bits[0].value = not explorer.bits[0].value
    assert explorer.decoded.picture.value != first
    assert export_html(model, tmp_path / "page.html").stat().st_size > 1000


def test_the_command_line_trains_on_the_gpu_alone_and_with_nccl(tmp_path):
    small = [part for setting in ("model.hidden=[16]", "train.epochs=2", "data.limit=200") for part in ("--set", setting)]
    for name, prefix in (("alone", ()), ("nccl", ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"))):
        result = command("train", "digits", "--out", tmp_path / name, "--device", "cuda", *small, prefix=prefix)
        assert result.returncode == 0, result.stderr
        rows = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        assert rows[1]["loss"] < rows[0]["loss"]
    assert load_config(str(tmp_path / "alone" / "config.toml")).train.device == "cuda"
