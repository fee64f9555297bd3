"""Installing on Colab replaces nothing that is already there."""

import re
import subprocess
import sys
import tomllib

import jupytext
import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

DEPENDENCIES = [Requirement(text) for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]]


def listed(path):
    """The requirements in a file, by name; comments apart."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    return {(requirement := Requirement(line)).name: requirement for line in lines if line and not line.startswith("#")}


@pytest.mark.parametrize("ours", DEPENDENCIES, ids=str)
def test_a_bound_accepts_the_version_colab_has(ours):
    colab = listed(ROOT / "tests" / "data" / "colab-versions.txt")
    assert ours.name in colab, f"{ours.name}: say in colab-versions.txt what Colab has"
    for known in colab[ours.name].specifier:
        assert ours.specifier.contains(known.version), f"{ours}: Colab has {known}"


def test_the_list_of_colab_versions_says_when_it_was_taken():
    assert re.search(r"# .*\d{4}-\d{2}-\d{2}", (ROOT / "tests" / "data" / "colab-versions.txt").read_text())


@pytest.mark.parametrize("ours", DEPENDENCIES, ids=str)
def test_a_bound_accepts_the_pinned_version(ours):
    (pin,) = listed(ROOT / "requirements.txt")[ours.name].specifier
    assert ours.specifier.contains(pin.version)


@pytest.mark.parametrize("script", sorted(ROOT.glob("notebooks/*.py")), ids=lambda path: path.stem)
def test_on_colab_the_first_code_cell_installs_a_tag_and_says_in_one_line_what_to_do_if_that_fails(script, monkeypatch):
    cell = next(cell.source for cell in jupytext.read(script).cells if cell.cell_type == "code")
    commands, status = [], 0

    def run(command, **settings):
        commands.append(command)
        return subprocess.CompletedProcess(command, status, "", "many lines of pip's")

    monkeypatch.setattr(subprocess, "run", run)
    exec(cell, {})
    assert not commands, "elsewhere than on Colab nothing is installed"
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    exec(cell, {})
    assert re.fullmatch(r"mrvae_lib @ git\+https://\S+@v[\d.]+", commands[0][-1])
    assert len(commands) == 1
    status = 1
    with pytest.raises(SystemExit, match=r"^The library is not installed: .* run this cell again\.$"):
        exec(cell, {})
    assert commands[-1][-1].endswith("@main"), "without its tag, as before a release, the newest state is installed"
