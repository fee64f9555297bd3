"""A run killed without warning loses nothing; benchmarks/kill_and_resume.py does it as often as you like."""

import subprocess
import sys

from tests.conftest import ROOT


def test_a_run_killed_twice_ends_with_the_weights_of_an_undisturbed_one():
    result = subprocess.run([sys.executable, ROOT / "benchmarks" / "kill_and_resume.py", "--kills", "2", "--epochs", "12"],
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "weights equal bit for bit, 12 lines of metrics against 12, 0 leftovers" in result.stdout
