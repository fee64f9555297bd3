"""Kill a training run at random moments, resume it each time, and compare its weights with an undisturbed run's.

    python benchmarks/kill_and_resume.py [--kills 20] [--seed 0] [--epochs 120]

Each life of the run ends soon after it passed a random step, every second one while a checkpoint is being written, so a
slow machine changes nothing but the time this takes. The last lines say how many kills were survived, and how many of
them left something half written; the exit code is 1 if the weights differ in a single bit.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from safetensors.torch import load_file

# Small, with a checkpoint every 5 steps, so that many kills fall into the writing of one.
STEPS_PER_EPOCH = 5
SETTINGS = ["--set", "train.precision=fp32", "--set", "train.device=cpu", "--set", "data.limit=320",
            "--set", "train.batch_size=64", "--set", "train.checkpoint_every=1",
            "--set", "model.hidden=[64,32]"]


def start(folder: Path, epochs: int) -> subprocess.Popen[bytes]:
    """Begin or go on with the run, in a process of its own."""
    command = [sys.executable, "-m", "mrvae_lib", "train", "digits", "--out", str(folder), *SETTINGS,
               "--set", f"train.epochs={epochs}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            env={**os.environ, "OMP_NUM_THREADS": "1"})


def steps_done(folder: Path) -> int:
    """The newest checkpoint's step."""
    return max((int(path.name.split("-")[1]) for path in folder.glob("checkpoints/step-*")), default=0)


def wait_for_step(folder: Path, step: int, process: subprocess.Popen[bytes]) -> None:
    """Return when there is a checkpoint of this step or a later one, or no process that could write it."""
    while steps_done(folder) < step and process.poll() is None:
        time.sleep(0.001)


def half_written(folder: Path) -> set[str]:
    """What is being written there, or was when its process was killed."""
    return {path.name for place in (folder, folder / "checkpoints") for path in place.glob(".partial-*")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=120)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)

    with tempfile.TemporaryDirectory() as folder:
        undisturbed, killed = Path(folder) / "undisturbed", Path(folder) / "killed"
        assert start(undisturbed, arguments.epochs).wait() == 0, "the undisturbed run failed"
        print(f"undisturbed: {steps_done(undisturbed)} steps", flush=True)

        n_while_writing = 0
        steps = range(STEPS_PER_EPOCH * arguments.epochs)
        for kill, step in enumerate(sorted(draw.choices(steps, k=arguments.kills)), start=1):
            left_over = half_written(killed)
            process = start(killed, arguments.epochs)
            wait_for_step(killed, step, process)
            time.sleep(draw.uniform(0, 0.1))
            while kill % 2 and not half_written(killed) - left_over and process.poll() is None:
                time.sleep(0.001)
            assert process.poll() is None, "the run finished before it could be killed"
            process.kill()
            process.wait()
            writing = bool(half_written(killed) - left_over)
            n_while_writing += writing
            print(f"kill {kill}: after the checkpoint at step {steps_done(killed)}"
                  f"{', while writing' if writing else ''}", flush=True)
        assert start(killed, arguments.epochs).wait() == 0, "the run did not resume"

        ours, theirs = (load_file(path / "model" / "model.safetensors") for path in (killed, undisturbed))
        same = ours.keys() == theirs.keys() and all((ours[name] == theirs[name]).all() for name in ours)
        lines = [len((path / "metrics.jsonl").read_text().splitlines()) for path in (killed, undisturbed)]
        litter = half_written(killed)
        print(f"{n_while_writing} of {arguments.kills} kills left something half written")
        print(f"{arguments.kills} kills survived: weights {'equal bit for bit' if same else 'DIFFER'}, "
              f"{lines[0]} lines of metrics against {lines[1]}, {len(litter)} leftovers")
        sys.exit(0 if same and lines[0] == lines[1] and not litter else 1)


if __name__ == "__main__":
    main()
