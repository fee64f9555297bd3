"""The repository's name stands in one setting; everything else is written from it."""

import pytest

from tests.conftest import ROOT
from tools.links import linked, linked_files, repository


@pytest.mark.parametrize("path", linked_files(), ids=lambda path: path.name)
def test_every_link_names_the_repository_of_the_setting(path):
    text = path.read_text()
    assert repository() in text, "a file listed as naming the repository does"
    assert linked(text, repository()) == text


def test_changing_the_setting_changes_badge_and_set_up_cell():
    text = (ROOT / "notebooks" / "00_start_here.py").read_text()
    changed = linked(text, "someone/else")
    assert "colab.research.google.com/github/someone/else/blob/main" in changed
    assert "git+https://github.com/someone/else" in changed
    assert repository() not in changed
