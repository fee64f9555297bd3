"""Installing on Colab replaces nothing that is already there."""

import re
import tomllib

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
