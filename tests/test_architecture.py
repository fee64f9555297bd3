"""How the package is laid out: what may import what, what is public, what is private, and how much there is to read."""

import ast
import subprocess
import sys

import pytest

import mrvae_lib
from tests.conftest import ROOT
from tools import budget

STAGES = ["errors", "config", "data", "dialects", "model", "pose", "parallel", "objective", "training",
          "analysis", "exercises", "interactive", "", "cli"]  # "" is `import mrvae_lib`
PACKAGE = ROOT / "mrvae_lib"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem not in
                 ("__init__", "__main__"))
EVERY_MODULE = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))


def imported(path):
    """(module, name) of everything that a file imports; the name is empty where a whole module is imported."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


@EVERY_MODULE
def test_a_module_imports_only_from_its_stage_and_those_before(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    stages = {(f"{module}.{name}" if module == "mrvae_lib" else module).split(".")[1] for module, name in imported(path)
              if module.startswith("mrvae_lib")}
    assert stages <= set(STAGES[: STAGES.index(own) + 1])


@EVERY_MODULE
def test_a_module_opens_with_a_sentence_that_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_the_tree_in_contributing_names_every_module():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    missing = [path.name for path in MODULES if path.stem not in ("__init__", "__main__") and path.name not in text]
    assert not missing


def test_nothing_private_of_another_library_is_used():
    """A leading underscore is only followed where this package has put it there."""
    trees = {path: ast.parse(path.read_text()) for path in MODULES}
    ours = {node.attr for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)}
    ours |= {node.name for tree in trees.values() for node in ast.walk(tree)
             if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.endswith("__"):
                assert node.attr in ours, f"{path}:{node.lineno} uses {node.attr}"
        for module, name in imported(path):
            parts = [*module.split("."), name]
            assert module == "__future__" or not any(part.startswith("_") for part in parts), f"{path}: {module}.{name}"


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda path: path.stem)
def test_a_notebook_imports_public_names_only(path):
    for module, name in imported(path):
        if module.split(".")[0] == "mrvae_lib":
            assert module == "mrvae_lib", f"import {name} from mrvae_lib, or use figures and widgets"
            assert name in mrvae_lib.__all__


def test_the_package_keeps_its_budget_of_lines(capsys):
    assert budget.main() == 0, capsys.readouterr().out


HEAVY = {"torchvision", "matplotlib", "sklearn", "scipy", "tensorboard", "ipywidgets", "IPython"}


@pytest.mark.parametrize(("arguments", "needed", "unneeded"), [
    (["-c", "from mrvae_lib import train, load_config, load_dataset, load_model, loss_terms, encode_set"],
     "torch", HEAVY),
    (["-c", "import mrvae_lib; mrvae_lib.widgets.LatentExplorer(mrvae_lib.load_model('mnist-mrvae')).decoded.picture"],
     "ipywidgets", {"matplotlib.pyplot", "torchvision", "sklearn", "scipy"}),
    (["-m", "mrvae_lib", "--help"], "typer", HEAVY | {"torch", "numpy"}),
], ids=["a model trained and encoded", "the first picture of the explorer", "what the command line can do"])
def test_what_takes_little_does_not_wait_for_widgets_a_display_or_what_only_some_runs_need(arguments, needed, unneeded):
    python = [sys.executable, "-X", "importtime", *arguments]
    report = subprocess.run(python, capture_output=True, text=True, check=True)
    loaded = {line.split("|")[-1].strip() for line in report.stderr.splitlines() if line.startswith("import time:")}
    assert needed in loaded
    assert not loaded & unneeded


def test_a_public_name_is_loaded_from_where_a_type_checker_looks_for_it():
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    static = {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
              if node.module.startswith("mrvae_lib") for alias in node.names}
    assert sorted(static) == mrvae_lib.__all__
    for name, home in mrvae_lib._HOMES.items():
        assert getattr(mrvae_lib, name).__module__ == f"mrvae_lib.{home}" or home == "data"
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        mrvae_lib.trian  # noqa: B018
