"""The explorer on the widgets that Colab has: the same tests, in an environment with ipywidgets 7.7.1."""

import subprocess
import sysconfig

from tests.conftest import ROOT, clean_environment


def test_the_explorer_runs_unchanged_on_ipywidgets_7(tmp_path):
    python = clean_environment(tmp_path / "venv", borrow=sysconfig.get_path("purelib"))
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                    "-r", ROOT / "tests" / "data" / "colab-widgets.txt"], check=True)
    version = subprocess.run([python, "-c", "import ipywidgets; print(ipywidgets.__version__)"],
                             capture_output=True, text=True, check=True).stdout.strip()
    assert version == "7.7.1"
    tests = ["explorer", "panel"]
    result = subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                             *(f"tests/test_{name}.py" for name in tests)], cwd=ROOT,
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "passed" in result.stdout
