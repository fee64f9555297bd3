"""A sweep: every point once, nothing trained twice, nothing lost when a process dies."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from typer.testing import CliRunner

from mrvae_lib.cli import app
from mrvae_lib.cli.sweep import Runner, as_overrides, grid, parse_over, run_from_storage, run_name, write_sweep
from mrvae_lib.errors import ConfigError
from mrvae_lib.training.checkpoints import in_use

SMALL = ["model.hidden=[16]", "model.n_bits=1", "model.n_reals=1", "train.epochs=2", "data.limit=100", "train.batch_size=50",
         "train.device=cpu", "train.precision=fp32"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
FAST_HEARTBEATS = """
from mrvae_lib.cli import app, sweep
sweep.HEARTBEAT, sweep.GRACE = 1, 3
app()
"""


def arguments(folder, *options, settings=SMALL):
    return ["sweep", "digits", "--out", str(folder), *(part for item in settings for part in ("--set", item)), *options]


def start(folder, *options, settings=SMALL):
    return subprocess.Popen([sys.executable, "-c", FAST_HEARTBEATS, *arguments(folder, *options, settings=settings)], text=True,
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


@pytest.mark.parametrize(("options", "message"), [
    (["--over", "objective.beta_z=1,-1"], "objective.beta_z"),
    (["--storage", "sqlite:////nowhere/x.db"], "--storage sqlite:////nowhere/x.db: cannot be opened"),
])
def test_a_value_or_a_storage_that_cannot_be_used_stops_the_sweep_before_its_first_run(options, message, tmp_path):
    result = CliRunner().invoke(app, arguments(tmp_path / "s", *options))
    assert result.exit_code == 2
    assert message in result.stderr
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


def test_a_sweep_killed_in_the_middle_goes_on_and_trains_no_run_twice(tmp_path):
    options = ["--over", "objective.beta_z=1,2", "--workers", "2"]
    process = start(tmp_path, *options)
    first = wait_for("*/model/model.safetensors", tmp_path, process)
    process.kill()
    process.wait()
    result = CliRunner().invoke(app, arguments(tmp_path, *options))
    assert result.exit_code == 0, result.output
    assert [row["settings"]["objective.beta_z"] for row in rows_of(tmp_path)] == [1, 2]
    written = first.stat().st_mtime_ns
    assert CliRunner().invoke(app, arguments(tmp_path, *options)).exit_code == 0
    assert first.stat().st_mtime_ns == written
    for run in tmp_path.glob("objective*"):
        assert len((run / "metrics.jsonl").read_text().splitlines()) == 2


def test_a_run_that_fails_is_a_row_with_its_reason_and_the_others_go_on(tmp_path):
    result = CliRunner().invoke(app, arguments(tmp_path, "--over", "train.lr=1e30,0.001"))
    assert result.exit_code == 1
    bad, good = rows_of(tmp_path)
    assert "not finite" in bad["error"]
    assert good["neg_elbo"] > 0


@pytest.mark.parametrize("storage", ["", "sqlite:///{}/sweep.db"], ids=["here", "database"])
def test_ctrl_c_lets_the_runs_write_their_checkpoints(storage, tmp_path):
    url = storage.format(tmp_path)
    process = start(tmp_path, "--workers", "2", "--seeds", "2", "--storage", url, settings=[*SMALL, "train.epochs=4000"])
    wait_for("*/checkpoints/step-*", tmp_path, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Stopped; the same command goes on." in output
    assert not any(in_use(folder) for folder in tmp_path.glob("train.seed*"))
    if url:  # the runs are free for other machines
        assert states_of(url) == ["FAIL", "FAIL"]


def test_the_run_of_a_killed_machine_is_taken_over_by_another(tmp_path):
    url = f"sqlite:///{tmp_path}/sweep.db"
    killed = start(tmp_path / "a", "--seeds", "2", "--storage", url, settings=[*SMALL, "train.epochs=100"])
    wait_for("*/checkpoints/step-*", tmp_path / "a", killed)
    other = start(tmp_path / "b", "--seeds", "2", "--storage", url, settings=[*SMALL, "train.epochs=100"])
    killed.kill()
    killed.wait()
    output, _ = other.communicate(timeout=120)
    assert other.returncode == 0, output
    assert [row["settings"]["train.seed"] for row in rows_of(tmp_path / "b")] == [0, 1]
    assert states_of(url) == ["COMPLETE", "COMPLETE", "FAIL"]


def the_study(storage):
    """The only study of a storage."""
    opened = storage if "://" in storage else JournalStorage(JournalFileBackend(storage))
    return optuna.load_study(study_name=None, storage=opened)


def states_of(storage):
    """How the trials ended, without those that left their point to another one."""
    return sorted(trial.state.name for trial in the_study(storage).trials if trial.state != TrialState.PRUNED)


@pytest.fixture(params=["{}/study.log", "sqlite:///{}/study.db"], ids=["journal", "database"])
def storage(request, tmp_path):
    return request.param.format(tmp_path)


@pytest.fixture
def trained():
    """The seeds that were trained, in their order."""
    return []


@pytest.fixture
def join(storage, trained, tmp_path):
    """Takes part in a sweep of three seeds, as one process after another would; nothing is really trained."""

    def join(run=lambda seed: {"neg_elbo": 1.0 + seed}, seeds=3, overrides=SMALL):
        class Recorder(Runner):
            def run(self, point):
                trained.append(point["train.seed"])
                return {"settings": point, **run(point["train.seed"])}

        return run_from_storage(Recorder("digits", False, overrides, tmp_path), grid([], seeds), storage, "test")

    return join


def test_who_joins_a_sweep_late_gets_the_rows_of_all_and_trains_what_is_left(join, trained):
    assert [row["neg_elbo"] for row in join()] == [1, 2, 3]
    assert [row["neg_elbo"] for row in join(seeds=4)] == [1, 2, 3, 4]
    assert trained == [0, 1, 2, 3]


def test_sweeps_of_other_settings_share_a_storage_and_nothing_else(join, trained):
    assert len(join()) == len(join(overrides=[*SMALL, "train.epochs=3"])) == 3
    assert trained == [0, 1, 2] * 2


def test_a_point_that_two_machines_have_entered_is_trained_once(join, trained, storage):
    def run(seed):
        if seed == 0:
            for point in grid([], 3):
                the_study(storage).enqueue_trial({}, user_attrs={"point": point})
        return {"neg_elbo": 1.0}

    assert len(join(run)) == 3
    assert trained == [0, 1, 2]


def test_a_machine_that_was_silent_for_too_long_leaves_its_run_to_the_other(join, trained, storage):
    def run(seed):
        if trained == [0]:
            the_study(storage).tell(0, state=TrialState.FAIL)
        return {"neg_elbo": float(len(trained))}

    assert [row["neg_elbo"] for row in join(run)] == [2, 3, 4]
    assert trained == [0, 0, 1, 2]


def test_a_run_that_failed_is_tried_again_when_the_sweep_is_started_again(join, trained):
    rows = join(lambda seed: {"error": "not finite"} if seed == 1 else {"neg_elbo": 1.0})
    assert [row.get("error") for row in rows] == [None, "not finite", None]
    assert [row.get("error") for row in join()] == [None] * 3
    assert trained == [0, 1, 2, 1]
