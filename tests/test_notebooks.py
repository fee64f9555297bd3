"""Notebooks: each pair agrees, cells stay short, nothing saved that breaks a reader's view."""

import itertools
import json
import re

import jupytext
import pytest

from tests.conftest import ROOT

SCRIPTS = sorted(ROOT.glob("notebooks/*.py"))

pytestmark = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


def cells(path):
    return [(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in jupytext.read(path).cells]


def saved(path):
    return json.loads(path.with_suffix(".ipynb").read_text())


def test_the_pair_agrees(script):
    assert cells(script) == cells(script.with_suffix(".ipynb"))


def test_code_cells_are_short(script):
    codes = [source for kind, source, _ in cells(script) if kind == "code"]
    lengths = sorted(sum(map(bool, map(str.strip, source.splitlines()))) for source in codes)
    assert lengths[-1] <= 20
    assert lengths[len(lengths) // 2] <= 8


def test_nearly_every_code_cell_follows_prose(script):
    # an exercise's check and solution follow their stub
    kinds = [kind for kind, _, tags in cells(script) if not {"check", "solution"} & set(tags)]
    assert [*itertools.pairwise(kinds)].count(("markdown", "code")) >= 0.8 * kinds.count("code")


def test_some_outputs_are_compared_and_those_are_saved(script):
    compared = [cell for cell in saved(script)["cells"] if "nbval-check-output" in cell["metadata"].get("tags", [])]
    assert len(compared) >= 3
    assert all(cell["outputs"] for cell in compared)


def test_pictures_are_saved_and_widget_state_is_not(script):
    notebook = saved(script)
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert "image/png" in kinds
    assert not any("widget" in kind for kind in kinds)
    assert "widgets" not in notebook["metadata"]
    assert "error" not in {output["output_type"] for output in outputs}


def test_it_opens_with_a_question_and_a_badge(script):
    first = cells(script)[0][1]
    assert re.match(r"# .*\?", first)
    assert f"blob/main/notebooks/{script.stem}.ipynb" in first


def test_it_fits_a_repository(script):
    assert script.with_suffix(".ipynb").stat().st_size < 1_000_000


NOT_PROSE = re.compile(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\]\([^)]*\)|<[^>]+>|\*\*References\.\*\*.*", re.DOTALL)
MEASURED = re.compile(r"(?<![\w.,-])(?:\d{1,3}(?:,\d{3})+|\d+\.\d+|[1-9]\d{2,})(?![\w]|\.\d)")
"""A decimal or a number of three digits and more; smaller whole numbers count things and name notebooks."""
FROM_ELSEWHERE = {
    "60,000": "training images of MNIST, and of FashionMNIST", "70,000": "images of MNIST", "1,797": "digits of scikit-learn",
    "360": "of them kept for testing", "20,000": "of MNIST in docs/results.md's k-means", "737,280": "images of dSprites",
    "12,000": "models of Locatello et al. (2019)", "4,608": "3 shapes by 6 sizes by 16 angles by 4 by 4 places",
    "784": "28 times 28", "4,096": "64 times 64, and 2 to the 12", "3.69": "ln 40", "0.20": "one of five factors by chance",
    "0.04": "0.04181 in the output above, rounded", "150": "epochs of the preset digits", "255": "the largest byte",
}
"""Numbers that no cell computes: data sets, arithmetic, papers."""


def test_a_number_in_prose_stands_in_a_compared_output_in_code_or_in_the_document_that_is_cited(script):
    shown = [source for kind, source, _ in cells(script) if kind == "code"]
    for cell in saved(script)["cells"]:
        if {"nbval-check-output", "check"} & set(cell["metadata"].get("tags", [])):
            shown += ["".join(output.get("text", output.get("data", {}).get("text/plain", ""))) for output in cell["outputs"]]
    known = {number.replace(",", "").replace("_", "") for text in shown for number in re.findall(r"\d[\d,_]*(?:\.\d+)?", text)}
    for kind, source, _ in cells(script):
        for paragraph in source.split("\n\n") if kind == "markdown" else ():
            cited = "".join((ROOT / name).read_text() for name in re.findall(r"\.\./((?:docs/)?\w+\.md)", paragraph))
            for number in MEASURED.findall(NOT_PROSE.sub(" ", paragraph)):
                year = re.fullmatch(r"(19|20)\d\d", number)
                assert (year or number.replace(",", "") in known or number in cited or number in FROM_ELSEWHERE
                        ), f"{number} in: {paragraph}"
