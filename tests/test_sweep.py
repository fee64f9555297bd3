"""A sweep: every point once, nothing trained twice, nothing lost when a process dies."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from mrvae_lib.cli import app
from mrvae_lib.cli.sweep import Runner, as_overrides, grid, parse_over, run_name, write_sweep
from mrvae_lib.errors import ConfigError
from mrvae_lib.training.checkpoints import in_use

SMALL = ["model.hidden=[16]", "model.n_bits=1", "model.n_reals=1", "train.epochs=2", "data.limit=100", "train.batch_size=50",
         "train.device=cpu", "train.precision=fp32", "train.pictures=none"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def arguments(folder, *options, settings=SMALL):
    return ["sweep", "digits", "--out", str(folder), *(part for item in settings for part in ("--set", item)), *options]


def start(folder, *options, settings=SMALL):
    return subprocess.Popen([sys.executable, "-m", "mrvae_lib", *arguments(folder, *options, settings=settings)], text=True,
                            env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def wait_for(pattern, folder, process):
    """A file of a run that the process trains."""
    while not (found := list(folder.glob(pattern))):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    return found[0]


def rows_of(folder):
    return [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("text", "values"), [
    ("objective.beta_z=1,2.5", [1, 2.5]),
    ("model.hidden=[16],[32, 16]", [[16], [32, 16]]),
    ("model.network=mlp,conv", ["mlp", "conv"]),
    ("objective.beta_z=[[0, 4], [1, 1]],2", [[[0, 4], [1, 1]], 2]),
])
def test_values_are_read_as_toml_or_as_text(text, values):
    assert parse_over(text)[1] == values


def test_a_grid_holds_every_combination_and_seed_once_with_a_folder_name_each():
    points = grid(["objective.beta_z=1,2", "model.n_bits=0,4,6"], 2)
    assert len({run_name(point) for point in points}) == 12
    assert as_overrides(points[0]) == ["objective.beta_z=1", "model.n_bits=0", "train.seed=0"]
    assert re.fullmatch(r"[\w.,=+-]+", run_name({"objective.beta_z": [[0, 4], [1, 1]], "data.name": "../x"}))


@pytest.mark.parametrize(("over", "message"), [
    (["objective.beta_z"], "must be KEY=VALUE,VALUE"),
    (["objective.beta_z=1", "objective.beta_z=2"], "names each key and value once"),
    (["train.seed=1,2"], "--seeds gives the seeds"),
    (["objective.beta_z=1,1"], "names each key and value once"),
])
def test_a_grid_that_cannot_be_meant_is_refused(over, message):
    with pytest.raises(ConfigError, match=message):
        grid(over, 1)


def test_a_value_that_cannot_be_used_stops_the_sweep_before_its_first_run(tmp_path):
    result = CliRunner().invoke(app, arguments(tmp_path / "s", "--over", "objective.beta_z=1,-1"))
    assert result.exit_code == 2
    assert "objective.beta_z" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "s").exists()


def test_the_table_has_mean_and_standard_deviation_over_the_seeds_and_counts_failures(tmp_path):
    rows = [{"settings": {"objective.beta_z": 1, "train.seed": seed}, "neg_elbo": value}
            for seed, value in enumerate([10.0, 12.0])]
    rows.append({"settings": {"objective.beta_z": 2, "train.seed": 0}, "error": "step 3: not finite"})
    table = write_sweep(rows, tmp_path)
    assert "| objective.beta_z=1 | 2 | 0 | 11.000 ± 1.414 |" in table
    assert "| objective.beta_z=2 | 0 | 1 | - |" in table
    assert (tmp_path / "table.md").read_text() == table
    assert rows_of(tmp_path) == rows


def test_a_sweep_killed_in_the_middle_goes_on_trains_no_run_twice_and_has_a_row_for_a_run_that_fails(tmp_path):
    options = ["--over", "train.lr=0.001,0.002,1e30", "--workers", "2"]
    process = start(tmp_path, *options)
    first = wait_for("*/model/model.safetensors", tmp_path, process)
    process.kill()
    process.wait()
    result = CliRunner().invoke(app, arguments(tmp_path, *options))
    assert result.exit_code == 1, result.output
    *good, bad = rows_of(tmp_path)
    assert [row["settings"]["train.lr"] for row in good if row["neg_elbo"] > 0] == [0.001, 0.002]
    assert "not finite" in bad["error"]
    written = first.stat().st_mtime_ns
    assert CliRunner().invoke(app, arguments(tmp_path, "--over", "train.lr=0.001,0.002")).exit_code == 0
    assert first.stat().st_mtime_ns == written
    assert [len((run / "metrics.jsonl").read_text().splitlines()) for run in tmp_path.glob("train.lr=0.00*")] == [2, 2]


def test_a_run_that_failed_is_tried_again_when_the_sweep_is_started_again(tmp_path):
    class Recorder(Runner):
        def _train(self, point, place):
            trained.append(point["train.seed"])
            return "not finite" if trained == [0, 1] else ""

        def _scores(self, point, place):
            return {"neg_elbo": 1.0} if point["train.seed"] in trained and trained != [0, 1] else {}

    trained = []
    rows = Recorder("digits", False, SMALL, tmp_path).run_all(grid([], 3))
    assert [row.get("error") for row in rows] == [None, "not finite", None]
    trained.remove(1)
    assert len(Recorder("digits", False, SMALL, tmp_path).run_all(grid([], 3))) == 3
    assert trained == [0, 2, 1]


def test_ctrl_c_lets_the_runs_write_their_checkpoints(tmp_path):
    process = start(tmp_path, "--workers", "2", "--seeds", "2", settings=[*SMALL, "train.epochs=4000"])
    wait_for("*/checkpoints/step-*", tmp_path, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Stopped; the same command goes on." in output
    assert not any(in_use(folder) for folder in tmp_path.glob("train.seed*"))


def test_sweeps_in_one_folder_share_its_runs_and_the_run_of_a_killed_machine_goes_to_another(tmp_path):
    options, settings = ["--seeds", "3"], [*SMALL, "train.epochs=100"]
    killed = start(tmp_path, *options, settings=settings)
    wait_for("train.seed=0/checkpoints/step-*", tmp_path, killed)
    other = start(tmp_path, *options, settings=settings)
    wait_for("train.seed=1/checkpoints/step-*", tmp_path, other)
    in_training = subprocess.run(["pgrep", "-P", str(killed.pid)], capture_output=True, text=True, check=True).stdout
    for process in (killed.pid, *map(int, in_training.split())):
        os.kill(process, signal.SIGKILL)
    killed.wait()
    output, _ = other.communicate(timeout=120)
    assert other.returncode == 0, output
    assert [row["settings"]["train.seed"] for row in rows_of(tmp_path)] == [0, 1, 2]
    assert {len((run / "metrics.jsonl").read_text().splitlines()) for run in tmp_path.glob("train.seed*")} == {100}
