"""How long a user waits: for the import, for the command's help, for the explorer's first picture.

    python benchmarks/startup.py [--quick]

Each command runs in a new process, several times, in turns; figures are medians, and include starting Python.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

PYTHON = [sys.executable, "-c"]
# The names load their modules on first use, so importing the package alone would measure nothing.
ALL = "from mrvae_lib import *"
NOTEBOOK = "from mrvae_lib import figures, load_model, widgets"
PICTURE = f"""
import time
{NOTEBOOK}
began = time.perf_counter()
widgets.LatentExplorer(load_model("mnist-mrvae")).decoded.picture
print(time.perf_counter() - began)
"""
COMMANDS = {
    "python": [*PYTHON, "pass"],
    "import torch": [*PYTHON, "import torch"],
    "notebook 00: import": [*PYTHON, NOTEBOOK],
    ALL: [*PYTHON, ALL],
    "mrvae --help": [sys.executable, "-m", "mrvae_lib", "--help"],
}


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round")
    n_rounds = 1 if parser.parse_args().quick else 7
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    pictures = []
    for _ in range(n_rounds):
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
        pictures.append(float(subprocess.run([*PYTHON, PICTURE], check=True, capture_output=True, text=True).stdout))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; median of {n_rounds}, seconds")
    for name, values in times.items():
        print(f"  {name:36} {statistics.median(values):6.2f}")
    print(f"  {'first picture after that':36} {statistics.median(pictures):6.2f}")
    for name in ("notebook 00: import", ALL):
        ratio = statistics.median(a / b for a, b in zip(times[name], times["import torch"], strict=True))
        print(f"  {name} / import torch: {ratio:.2f}")


if __name__ == "__main__":
    main()
