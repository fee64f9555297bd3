"""A sweep: every point once, nothing trained twice, nothing lost when a process dies."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from PIL import Image
from typer.testing import CliRunner

from mrvae_lib.cli import app
from mrvae_lib.config import ConfigError
from mrvae_lib.sweep.study import Study
from mrvae_lib.sweep.table import write_sweep
from mrvae_lib.sweep.trials import Trial, as_overrides, grid, parse_over
from mrvae_lib.training.checkpoints import only_process

SMALL = [part for setting in ("model.hidden=[16]", "model.n_bits=1", "model.n_reals=1", "train.epochs=2", "data.limit=100",
                              "train.batch_size=50", "train.device=cpu", "train.precision=fp32")
         for part in ("--set", setting)]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(folder, *options, settings=SMALL):
    return [sys.executable, "-m", "mrvae_lib", "sweep", "digits", "--out", str(folder), *settings, *options]


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
    trials = grid(["objective.beta_z=1,2", "model.n_bits=0,4,6"], 2)
    assert len({trial.name for trial in trials}) == 12
    assert as_overrides(trials[0].settings) == ["objective.beta_z=1", "model.n_bits=0", "train.seed=0"]
    assert all("/" not in trial.name for trial in trials)


@pytest.mark.parametrize(("over", "message"), [
    (["objective.beta_z"], "must be KEY=VALUE,VALUE"),
    (["objective.beta_z=1", "objective.beta_z=2"], "names each key once"),
    (["train.seed=1,2"], "seeds are given by --seeds"),
    (["objective.beta_z=1,1"], "two values are the same"),
])
def test_a_grid_that_cannot_be_meant_is_refused(over, message):
    with pytest.raises(ConfigError, match=message):
        grid(over, 1)


def test_a_value_that_cannot_be_used_stops_the_sweep_before_its_first_run(tmp_path):
    result = CliRunner().invoke(app, command(tmp_path / "s", "--over", "objective.beta_z=1,-1")[3:])
    assert result.exit_code == 2
    assert "objective.beta_z" in result.stderr
    assert not (tmp_path / "s").exists()


def test_the_table_has_mean_and_standard_deviation_over_the_seeds_and_counts_failures(tmp_path):
    rows = [{"settings": {"objective.beta_z": 1, "train.seed": seed}, "neg_elbo": value}
            for seed, value in enumerate([10.0, 12.0])]
    rows.append({"settings": {"objective.beta_z": 2, "train.seed": 0}, "error": "step 3: not finite"})
    table = write_sweep(rows, tmp_path)
    assert "| beta_z 1 | 2 | 0 | 11.000 ± 1.414 |" in table
    assert "| beta_z 2 | 0 | 1 | - |" in table
    assert Image.open(tmp_path / "sweep.png").size[0] > 300
    assert rows_of(tmp_path) == rows


def test_a_sweep_killed_in_the_middle_goes_on_and_trains_no_run_twice(tmp_path):
    folder = tmp_path / "s"
    options = ["--over", "objective.beta_z=1,2", "--seeds", "1"]
    process = subprocess.Popen(command(folder, *options), stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    first = folder / "objective.beta_z=1,train.seed=0" / "model" / "model.safetensors"
    while not first.is_file():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    result = subprocess.run(command(folder, *options), capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert [row["settings"]["objective.beta_z"] for row in rows_of(folder)] == [1, 2]
    written = first.stat().st_mtime_ns
    again = subprocess.run(command(folder, *options), capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert again.returncode == 0
    assert first.stat().st_mtime_ns == written
    for run in folder.glob("objective*"):
        assert len((run / "metrics.jsonl").read_text().splitlines()) == 2


def test_a_run_that_fails_is_a_row_with_its_reason_and_the_others_go_on(tmp_path):
    rows = CliRunner().invoke(app, command(tmp_path, "--over", "train.lr=1e30,0.001")[3:])
    assert rows.exit_code == 1
    bad, good = sorted(rows_of(tmp_path), key=lambda row: -row["settings"]["train.lr"])
    assert "not finite" in bad["error"]
    assert good["neg_elbo"] > 0


@pytest.fixture(params=["{}/study.log", "sqlite:///{}/study.db"], ids=["journal", "database"])
def study(request, tmp_path):
    """Joins one study, again and again, as a process would."""
    return lambda trials, **options: Study(request.param.format(tmp_path), "test", "base", trials, **options)


def test_two_processes_that_enter_one_grid_run_each_point_once(study):
    trials = grid(["objective.beta_z=1,2"], 2)
    queues = [study(trials), study(trials)]
    for trial in trials:  # as if both had entered all of them before either looked
        queues[1]._enter(trial)
    taken = []
    for queue in queues * 2:
        trial = queue.take()
        taken.append(trial.name)
        queue.done(trial, {"settings": trial.settings, "neg_elbo": 1.0})
    assert sorted(taken) == sorted(trial.name for trial in trials)
    assert [queue.take() for queue in queues] == [None, None]
    assert len(queues[0].rows()) == 4


def test_a_silent_trial_goes_to_another_and_its_first_owner_is_told(study):
    dead, living = study(grid([], 1), patience=0.2), study([], patience=0.2)
    lost = dead.take()
    assert dead.beat(lost)
    found = living.take()
    assert found.name == lost.name
    time.sleep(0.1)
    assert not dead.beat(lost)
    dead.done(lost, {"settings": lost.settings, "neg_elbo": 1.0})
    living.done(found, {"settings": found.settings, "neg_elbo": 2.0})
    assert [row["neg_elbo"] for row in living.rows()] == [2.0]


def test_a_trial_that_failed_is_not_tried_again_until_the_sweep_is_started_again(study):
    queue = study(grid([], 1))
    trial = queue.take()
    queue.done(trial, {"settings": trial.settings, "error": "not finite"})
    assert queue.take() is None
    assert study(grid([], 1)).take().name == trial.name


def test_a_storage_with_a_sweep_of_other_settings_is_refused(tmp_path):
    Study(str(tmp_path / "study.log"), "test", "base", [])
    with pytest.raises(ConfigError, match="of other settings"):
        Study(str(tmp_path / "study.log"), "test", "another base", [])


def test_a_storage_that_cannot_be_opened_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="cannot be opened") as caught:
        Study(f"sqlite:///{tmp_path}/nowhere/x.db", "test", "base", [])
    assert "\n" not in str(caught.value)


def test_two_processes_share_a_study_and_one_is_killed_and_no_trial_is_lost_or_done_twice(tmp_path):
    options = ["--seeds", "3", "--storage", str(tmp_path / "study.log"), "--patience", "3"]
    settings = [part.replace("train.epochs=2", "train.epochs=30") for part in SMALL]
    processes = [subprocess.Popen(command(tmp_path / name, *options, settings=settings), text=True, env=ENVIRONMENT,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for name in ("a", "b")]
    while not list(tmp_path.glob("a/*/checkpoints/step-*")):  # killed while it trains
        assert processes[0].poll() is None, processes[0].communicate()[0]
        time.sleep(0.02)
    processes[0].send_signal(signal.SIGKILL)
    processes[0].wait()
    output, _ = processes[1].communicate()
    assert processes[1].returncode == 0, output
    assert sorted(row["settings"]["train.seed"] for row in rows_of(tmp_path / "b")) == [0, 1, 2]
    trials = JournalStorage(JournalFileBackend(str(tmp_path / "study.log"))).get_all_trials(0)
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    assert sorted(trial.user_attrs["settings"]["train.seed"] for trial in complete) == [0, 1, 2]


def test_a_trial_name_is_a_folder_name():
    assert re.fullmatch(r"[\w.,=+-]+", Trial({"objective.beta_z": [[0, 4], [1, 1]], "data.name": "../x"}).name)


def test_a_folder_in_use_is_waited_for(tmp_path):
    from mrvae_lib.training.checkpoints import in_use

    assert not in_use(tmp_path)
    with only_process(tmp_path):
        assert in_use(tmp_path)
    assert not in_use(tmp_path)
