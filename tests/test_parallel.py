"""Several processes train one run: the same terms and gradient as one process has, and checkpoints that either can use."""

import json
import os
import subprocess
import sys

import pytest
import torch

from mrvae_lib import parallel
from mrvae_lib.errors import ConfigError
from mrvae_lib.training.checkpoints import load_model, load_state
from mrvae_lib.training.loop import train
from mrvae_lib.training.run import start
from tests.conftest import ROOT, tiny_images, tiny_run
from tests.test_training import StopAfter

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
EVERY_WEIGHT = {"beta_z": 1, "beta_b": 0.5, "gamma_z": 2, "capacity_z": 5, "gamma_b": 2, "capacity_b": 1, "lambda_tc": 3,
                "lambda_information": 4, "lambda_aggregate": 1, "lambda_consistency": 6, "lambda_reading": 2}


def shared_config():
    return tiny_run(epochs=2, batch_size=8)


def in_two_processes(*arguments):
    return subprocess.run([*TORCHRUN, *map(str, arguments)], capture_output=True, text=True, env=ENVIRONMENT, check=False)


def test_two_processes_have_the_terms_and_the_gradient_of_one(tmp_path):
    script = ROOT / "tests" / "shared_run.py"
    result = in_two_processes(script, "terms", tmp_path / "two.pt")
    assert result.returncode == 0, result.stderr
    subprocess.run([sys.executable, script, "terms", tmp_path / "one.pt"], env=ENVIRONMENT, check=True)
    one, two = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("one", "two"))
    assert set(one["terms"]) == {"reconstruction", "kl_z", "kl_b", "tc", "information", "aggregate", "consistency", "reading"}
    torch.testing.assert_close(two, one, atol=1e-5, rtol=1e-5)


def test_two_processes_train_one_run_and_report_it_once(tmp_path):
    result = in_two_processes("-m", "mrvae_lib", "train", "digits", "--out", tmp_path / "run", *(
        part for setting in ("model.hidden=[16]", "train.epochs=2", "data.limit=200", "train.batch_size=20",
                             "train.device=cpu", "train.precision=fp32", "objective.lambda_tc=1",
                             "objective.tc=discriminator", "objective.discriminator.hidden=[16]")
        for part in ("--set", setting)))
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("Written to") == 1
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert rows[1]["loss"] < rows[0]["loss"]
    assert load_model(tmp_path / "run").card["scores"]


def test_a_checkpoint_moves_from_one_process_to_two_and_back(tmp_path):
    folder = tmp_path / "run"
    train(shared_config(), folder, images=tiny_images(), callbacks=[StopAfter(5)])
    result = in_two_processes(ROOT / "tests" / "shared_run.py", "train", folder, 4)
    assert result.returncode == 0, result.stderr
    (checkpoint,) = (folder / "checkpoints").iterdir()
    assert checkpoint.name == "step-00000009"
    assert not (folder / "model").exists()
    states = load_state(checkpoint)["noise"]
    assert len(states) == 2
    assert not torch.equal(*states)  # each process draws numbers of its own
    train(shared_config(), folder, images=tiny_images())
    assert (folder / "model").exists()


def test_one_process_draws_what_it_drew_before_there_were_several():
    run = start(shared_config(), images=tiny_images())
    assert torch.equal(run.noise.get_state(), torch.Generator().manual_seed(run.config.train.seed).get_state())


def test_a_batch_that_cannot_be_divided_evenly_is_refused(monkeypatch):
    monkeypatch.setattr(parallel, "n_processes", lambda: 3)
    with pytest.raises(ConfigError, match="must be a multiple of the 3 processes, got 8"):
        start(shared_config(), images=tiny_images())
