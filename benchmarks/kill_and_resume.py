"""Kill a training run at random moments, resume it each time, and compare its weights with an undisturbed run's.

    python benchmarks/kill_and_resume.py [--kills 20] [--seed 0]

The last line says how many kills were survived; the exit code is 1 if the weights differ in a single bit.
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
SETTINGS = ["--precision", "fp32", "--device", "cpu", "--set", "train.epochs=120", "--set", "data.limit=320",
            "--set", "train.batch_size=64", "--set", "train.checkpoint_every=1", "--set", "model.hidden=[64,32]"]


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Begin or go on with the run, in a process of its own."""
    command = [sys.executable, "-m", "mrvae_lib", "train", "digits", "--out", str(folder), *SETTINGS]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            env={**os.environ, "OMP_NUM_THREADS": "1"})


def steps_done(folder: Path) -> int:
    """The newest checkpoint's step."""
    return max((int(path.name.split("-")[1]) for path in folder.glob("checkpoints/step-*")), default=0)


def timed(folder: Path) -> tuple[float, float]:
    """Do the whole run; seconds until its first checkpoint, and seconds from there to its end."""
    began = time.monotonic()
    process = start(folder)
    while not steps_done(folder) and process.poll() is None:
        time.sleep(0.02)
    first = time.monotonic()
    assert process.wait() == 0, "the undisturbed run failed"
    return first - began, time.monotonic() - first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)

    with tempfile.TemporaryDirectory() as folder:
        undisturbed, killed = Path(folder) / "undisturbed", Path(folder) / "killed"
        start_up, training = timed(undisturbed)
        print(f"undisturbed: {steps_done(undisturbed)} steps in {training:.1f} s after {start_up:.1f} s of start-up")

        for kill in range(1, arguments.kills + 1):
            process = start(killed)
            # Each life does a random part of the work, some of them none.
            time.sleep(draw.uniform(0.9, 1) * start_up + draw.uniform(0, 1.4) * training / (arguments.kills + 1))
            assert process.poll() is None, "the run finished before it could be killed"
            process.kill()
            process.wait()
            print(f"kill {kill}: after the checkpoint at step {steps_done(killed)}", flush=True)
        assert start(killed).wait() == 0, "the run did not resume"

        ours, theirs = (load_file(path / "model" / "model.safetensors") for path in (killed, undisturbed))
        same = ours.keys() == theirs.keys() and all((ours[name] == theirs[name]).all() for name in ours)
        lines = [len((path / "metrics.jsonl").read_text().splitlines()) for path in (killed, undisturbed)]
        litter = [path.name for path in killed.rglob(".partial-*")]
        print(f"{arguments.kills} kills survived: weights {'equal bit for bit' if same else 'DIFFER'}, "
              f"{lines[0]} lines of metrics against {lines[1]}, {len(litter)} leftovers")
        sys.exit(0 if same and lines[0] == lines[1] and not litter else 1)


if __name__ == "__main__":
    main()
