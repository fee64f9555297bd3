"""Several processes train one run: the same history as one process has, and checkpoints that either can go on with."""

import json
import os
import subprocess
import sys

import pytest
import torch
from mrvae_lib.data.shared import SharedGenerator

from mrvae_lib import parallel
from mrvae_lib.config import ConfigError, load_config
from mrvae_lib.model.latents import concrete_bits, sample_bits, sample_normal
from mrvae_lib.pose import random_pose
from mrvae_lib.training.checkpoints import load_model
from mrvae_lib.training.loop import train
from tests.conftest import ROOT, tiny_images, tiny_run
from tests.test_training import History, StopAfter, weights_of

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
SETTINGS = ["--set", "model.hidden=[16]", "--set", "train.epochs=3", "--set", "data.limit=200", "--set",
            "train.batch_size=20", "--set", "train.device=cpu", "--set", "train.precision=fp32", "--set",
            "objective.gamma_z=2", "--set", "objective.capacity_z=[[0, 0], [1, 5]]", "--set", "objective.beta_z=1",
            "--set", "objective.lambda_aggregate=1", "--set", "objective.lambda_reading=1",
            "--set", "objective.estimator=bit-flip"]
"""Every term there is, on batches small enough to need a pool."""


def shared_config():
    return tiny_run(epochs=2, batch_size=8)


def shares(seed, n_parts=2):
    generators = []
    for part in range(n_parts):
        generator = SharedGenerator("cpu")
        generator.part, generator.n_parts = part, n_parts
        generators.append(generator.manual_seed(seed))
    return generators


@pytest.mark.parametrize("sample", [
    lambda x, g: sample_normal(x, x, g),
    sample_bits,
    lambda x, g: concrete_bits(x, 0.5, g),
    lambda x, g: random_pose(x.reshape(-1, 1, 8, 8), tiny_run().objective.pose.model_copy(update={
        "elastic": 0.1, "contrast": 0.4, "mirror": True, "specks": 0.1}), g),
])
def test_each_process_draws_its_part_of_what_one_process_would_draw(sample, generator):
    x = torch.rand(12, 64, generator=generator)
    whole = sample(x, torch.Generator().manual_seed(3))
    parts = [sample(part, shared) for part, shared in zip(x.chunk(2), shares(3), strict=True)]
    assert torch.equal(torch.cat(parts), whole)
    one, *rest = [shared.get_state() for shared in shares(3)]
    assert all(torch.equal(one, state) for state in rest)


def test_two_processes_have_the_history_and_weights_of_one(tmp_path):
    result = subprocess.run([*TORCHRUN, "-m", "mrvae_lib", "train", "digits", *SETTINGS, "--out", tmp_path / "two"],
                            capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("Written to") == 1
    history = History()
    expected = train(load_config("digits", overrides=SETTINGS[1::2]), callbacks=[history])
    one, two = history.rows, [json.loads(line) for line in (tmp_path / "two" / "metrics.jsonl").read_text().splitlines()]
    assert {"information", "aggregate", "consistency", "reading"} < one[0].keys()
    assert [row.keys() for row in one] == [{name for name in row if not name.startswith("test/")} for row in two]
    for ours, theirs in zip(two, one, strict=True):
        for name, value in theirs.items():
            assert ours[name] == pytest.approx(value, rel=1e-4, abs=1e-4), name
    torch.testing.assert_close(weights_of(load_model(tmp_path / "two")), weights_of(expected),
                               atol=1e-4, rtol=1e-4)


def test_a_checkpoint_moves_from_one_process_to_two_and_back(tmp_path):
    expected = weights_of(train(shared_config(), images=tiny_images()))
    folder = tmp_path / "run"
    train(shared_config(), folder, images=tiny_images(), callbacks=[StopAfter(5)])
    subprocess.run([*TORCHRUN, ROOT / "tests" / "shared_run.py", folder, "4"], env=ENVIRONMENT, check=True,
                   capture_output=True)
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step-00000009"]
    assert not (folder / "model").exists()
    torch.testing.assert_close(weights_of(train(shared_config(), folder, images=tiny_images())), expected,
                               atol=1e-4, rtol=1e-4)


def test_a_batch_that_cannot_be_divided_evenly_is_refused(monkeypatch):
    monkeypatch.setattr(parallel, "n_processes", lambda: 3)
    with pytest.raises(ConfigError, match="must be a multiple of the 3 processes, got 64"):
        parallel.shared_noise(torch.device("cpu"), 0, 64)


def test_one_process_needs_no_group():
    assert load_config("digits").train.batch_size % parallel.n_processes() == 0
    assert parallel.is_first()
    assert parallel.any_process(True)
    assert not parallel.any_process(False)
