"""Nothing that is loaded can run code: no file of ours unpickles, evaluates, or asks another library to."""

import ast

import pytest

from tests.conftest import ROOT

FILES = sorted(path for folder in ("mrvae_lib", "tools", "benchmarks", "notebooks") for path in (ROOT / folder).rglob("*.py"))
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CALLS = {"eval", "exec", "compile", "__import__"}
OBJECT_COLLECTIVES = {"all_gather_object", "broadcast_object_list", "gather_object", "scatter_object_list",
                      "send_object_list", "recv_object_list"}


def name_of(node):
    """`torch.load` for that expression, `load` for a bare name."""
    return f"{name_of(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def offences(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (f"line {node.lineno}: imports {name}" for name in names if name.split(".")[0] in MODULES)
        if not isinstance(node, ast.Call):
            continue
        called, given = name_of(node.func), {word.arg: word.value for word in node.keywords}
        if called in CALLS or called.split(".")[-1] in OBJECT_COLLECTIVES:
            yield f"line {node.lineno}: {called}"
        if called == "torch.load" and not _is(given.get("weights_only"), True):
            yield f"line {node.lineno}: torch.load without weights_only=True"
        if "allow_pickle" in given and not _is(given["allow_pickle"], False):
            yield f"line {node.lineno}: allow_pickle"


def _is(node, value):
    return isinstance(node, ast.Constant) and node.value is value


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_unpickles_and_evaluates_nothing(path):
    assert list(offences(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize("code", ["import pickle", "from joblib import load", "torch.load(p)", "eval('1')",
                                  "torch.load(p, weights_only=False)", "np.load(p, allow_pickle=True)",
                                  "np.load(p, allow_pickle=flag)", "dist.all_gather_object(a, b)"])
def test_the_search_finds_what_it_looks_for(code):
    assert list(offences(ast.parse(code)))
