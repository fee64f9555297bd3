"""Imports point one way: config, data, model, objective, training, analysis, interactive, then what wires them."""

import ast
import subprocess
import sys

import pytest

from tests.conftest import ROOT

STAGES = ["messages", "notation", "conventions", "config", "ini", "data", "model", "objective", "training", "analysis",
          "interactive", "pretrained", "sweep", "cli"]
PACKAGE = ROOT / "mrvae_lib"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem not in
                 ("__init__", "__main__"))


def imported_stages(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("mrvae_lib."):
                yield name.split(".")[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_stage_and_those_before(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert set(imported_stages(path)) <= set(STAGES[: STAGES.index(own) + 1])


def test_all_modules_are_looked_at():
    assert len(MODULES) >= 25


def test_the_package_imports_without_widgets_or_a_display():
    code = "import sys, mrvae_lib; sys.exit('ipywidgets' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_is_and_fits_in_one_sitting(path):
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "a module opens with one sentence"
    assert len(text.splitlines()) <= 270
