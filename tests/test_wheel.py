"""What a user installs holds everything the package reads at run time."""

import json
import subprocess
import sys
import sysconfig

import pytest

from mrvae_lib.config import preset_names
from tests.conftest import ROOT, clean_environment

CHECK = """
import json, mrvae_lib, pathlib
from mrvae_lib import load_config, load_model
from mrvae_lib.config import preset_names
from mrvae_lib.dialects.ini import IniFile
from mrvae_lib.interactive import export_html
from mrvae_lib.training.checkpoints import pretrained_names
models = {name: load_model(name) for name in pretrained_names()}
pages = [export_html(model, f"{name}.html").stat().st_size for name, model in models.items()]
presets = [load_config(name).about for name in preset_names()]
runs = [IniFile.read(name).run() for name in preset_names(".ini")]
print(json.dumps({"where": mrvae_lib.__file__, "presets": preset_names(), "models": list(models), "pages": pages,
                  "examples": len(runs)}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
                    "--wheel-dir", folder, ROOT], check=True)
    (path,) = folder.glob("*.whl")
    return path


def test_a_clean_environment_finds_presets_weights_and_the_page(wheel, tmp_path):
    python = clean_environment(tmp_path / "venv", borrow=sysconfig.get_path("purelib"))
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    result = subprocess.run([python, "-c", CHECK], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = json.loads(result.stdout)
    assert found["where"].startswith(str(tmp_path / "venv"))
    assert found["presets"] == preset_names()
    assert found["examples"] == 4
    assert "mnist-mrvae" in found["models"]
    assert all(size < 3_000_000 for size in found["pages"])


def test_the_wheel_is_under_14_megabytes(wheel):
    assert wheel.stat().st_size < 14_000_000
