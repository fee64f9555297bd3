"""Imports point one way: config, data, model, objective, training, analysis, interactive, then what wires them."""

import ast
import subprocess
import sys

import pytest

import mrvae_lib
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


def loaded_by(*arguments):
    """The top-level packages that a new Python process imports, from its own report."""
    report = subprocess.run([sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True)
    lines = [line for line in report.stderr.splitlines() if line.startswith("import time:")]
    return {line.split("|")[-1].strip().split(".")[0] for line in lines}


HEAVY = {"torchvision", "matplotlib", "sklearn", "scipy", "tensorboard", "optuna", "ipywidgets", "IPython"}


def test_the_public_names_come_with_torch_but_without_widgets_a_display_or_what_only_some_runs_need():
    loaded = loaded_by("-c", "from mrvae_lib import *; train")
    assert "torch" in loaded
    assert not loaded & HEAVY


def test_the_command_line_says_what_it_can_do_before_torch_is_loaded():
    loaded = loaded_by("-m", "mrvae_lib", "--help")
    assert "typer" in loaded
    assert not loaded & (HEAVY | {"torch", "numpy"})


def test_the_first_picture_of_the_explorer_takes_neither_pyplot_nor_torchvision():
    code = ("import mrvae_lib, sys; from mrvae_lib.interactive import LatentExplorer; "
            "LatentExplorer(mrvae_lib.load_model('mnist-mrvae')).picture; "
            "assert not {'matplotlib.pyplot', 'torchvision', 'sklearn', 'scipy'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_public_name_is_loaded_from_where_a_type_checker_looks_for_it():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    static = {alias.name: node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
              if node.module.startswith("mrvae_lib.") for alias in node.names}
    assert static == {name: f"mrvae_lib.{home}" for name, home in mrvae_lib._HOMES.items()}
    assert sorted(static) == sorted(mrvae_lib.__all__)
    assert all(getattr(mrvae_lib, name).__name__ == name for name in static)
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        mrvae_lib.trian  # noqa: B018


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_is_and_fits_in_one_sitting(path):
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "a module opens with one sentence"
    assert len(text.splitlines()) <= 270
