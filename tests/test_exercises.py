"""Exercises: a check says what is right and never stops a notebook; each stub fails its own and each solution passes."""

import contextlib
import io
import math

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from mrvae_lib.exercises import check
from tests.conftest import ROOT


@pytest.mark.parametrize("right", [2.0, 2.00001, torch.tensor(2.0), np.float32(2)])
def test_a_right_answer_is_called_right(right, capsys):
    check(lambda: right, expected=2.0, hint="")
    assert capsys.readouterr().out.startswith("Right")


@pytest.mark.parametrize("wrong", [2.1, [2.0, 2.0], "two", math.nan, None, ...])
def test_a_wrong_answer_gets_its_hint(wrong, capsys):
    check(lambda: wrong, expected=2.0, hint="count again")
    assert "Not yet" in (said := capsys.readouterr().out)
    assert "count again" in said


def test_an_answer_that_fails_is_told_so_and_nothing_is_raised(capsys):
    def answer(x):
        return 1 / x

    check(answer, args=(0,), expected=1, hint="what about zero?")
    assert "answer raised ZeroDivisionError" in capsys.readouterr().out


def test_a_predicate_may_stand_for_the_expected_value(capsys):
    check(lambda: 7, expected=lambda value: value % 2 == 1, hint="odd")
    assert capsys.readouterr().out.startswith("Right")


def exercises():
    """Every (notebook, stub, check, solution) by its cells' tags."""
    for script in sorted(ROOT.glob("notebooks/*.py")):
        cells = jupytext.read(script).cells
        tagged = [(cell.metadata.get("tags", []), cell.source) for cell in cells]
        for i, (tags, stub) in enumerate(tagged):
            if "exercise" in tags:
                names = [tag for tags_, _ in tagged[i : i + 3] for tag in tags_ if tag in ("exercise", "check", "solution")]
                yield pytest.param(script, i, stub, names, id=f"{script.stem}-{i}")


@pytest.mark.parametrize(("script", "index", "stub", "names"), exercises())
def test_a_stub_fails_its_check_and_its_solution_passes(script, index, stub, names):
    assert names == ["exercise", "check", "solution"]
    cells = jupytext.read(script).cells
    before = [cell.source for cell in cells[:index] if cell.cell_type == "code" and "exercise" not in cell.metadata.get("tags", [])
              and "check" not in cell.metadata.get("tags", [])]
    scope = {"__name__": "notebook", "display": lambda *_: None}
    for source in before:
        exec(source, scope)
    plt.close("all")
    said = []
    for source in (cells[index].source, cells[index + 1].source, cells[index + 2].source, cells[index + 1].source):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(source, scope)
        said.append(out.getvalue())
    assert said[1].startswith("Not yet")
    assert said[3].startswith("Right")
