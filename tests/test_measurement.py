"""Everything that is measured of a model, on models whose answers are known."""

import json
import math
from dataclasses import replace

import pytest
import torch

from mrvae_lib.analysis.measurement import measure, untrained
from mrvae_lib.analysis.tables import (
    bit_table,
    markdown,
    markdown_report,
    measurement_rows,
    real_table,
    settings_lines,
    told_table,
)
from mrvae_lib.data import ImageSet
from mrvae_lib.model.vae import MRVAE, Posterior
from tests.conftest import tiny_images, tiny_model

GENERATOR = torch.Generator().manual_seed(0)


def planted_set(n=1200):
    """Images whose pixels hold the factors: a shape of two kinds, a turn of six, a place of five."""
    factors = torch.stack([torch.randint(size, (n,), generator=GENERATOR) for size in (2, 6, 5)], dim=1)
    images = torch.zeros(n, 1, 8, 8, dtype=torch.uint8)
    images[:, 0, 0, :3] = (factors * torch.tensor([200, 40, 50])).byte()
    return ImageSet("planted", images, factors[:, 0], ("square", "heart"), factors, ("shape", "turn", "place"))


class Perfect(MRVAE):
    """Reads turn and place into its reals and the shape into its bit."""

    def encode(self, x):
        pixels = x[:, 0, 0, :3] * 255
        reals = pixels[:, 1:3] / torch.tensor([40, 50]) - 2
        bits = pixels[:, :1] / 5 - 20
        return Posterior(reals, torch.full_like(reals, -6), bits.repeat(1, self.n_bits))


@pytest.fixture(scope="module")
def perfect():
    images = planted_set()
    shape = tiny_model(n_reals=2, n_bits=1)
    return measure(Perfect(shape.image_shape, shape.config).eval(), images, images)


def test_a_perfect_code_scores_1_and_the_untrained_network_beside_it_does_not(perfect):
    assert perfect.trained.scores.code_accuracy == 1
    for name in ("beta-VAE score", "FactorVAE score", "MIG", "modularity", "explicitness",
                 "DCI-histogram disentanglement", "NMI of code and label"):
        assert perfect.trained.metrics[name].score == pytest.approx(1, abs=0.02), name
        assert perfect.untrained.metrics[name].score < 0.97, name


def test_what_bits_and_reals_tell_adds_up_to_the_factors_and_is_told_apart(perfect):
    metrics = perfect.trained.metrics
    assert metrics["b tells of shape"].score == pytest.approx(math.log(2), abs=0.02)
    assert metrics["z tells of shape"].score == pytest.approx(0, abs=0.03)
    assert metrics["b tells of turn"].score == pytest.approx(0, abs=0.03)
    assert metrics["z tells of turn"].score == pytest.approx(math.log(6), abs=0.15)
    assert [row.about for row in perfect.reals] == ["turn", "place"]
    assert perfect.bits[0].about == "shape"


def test_an_image_is_not_its_own_neighbour(perfect):
    reals = perfect.trained.metrics["5-NN accuracy, from z"]
    assert reals.score == pytest.approx(0.5, abs=0.1)  # z knows nothing of the shape
    assert perfect.trained.metrics["5-NN accuracy, labels shuffled, from z"].score == pytest.approx(0.5, abs=0.1)
    assert reals.settings["n_train"] + reals.settings["n_test"] == 1200


@pytest.mark.parametrize(("n_reals", "n_bits", "known"), [(2, 0, "factors"), (0, 2, "factors"), (2, 2, "factors"),
                                                          (1, 0, "labels"), (0, 2, "labels"), (1, 1, "nothing")])
def test_every_kind_of_model_is_measured_on_every_kind_of_set(n_reals, n_bits, known):
    images = planted_set(300) if known == "factors" else tiny_images(240)
    if known == "nothing":
        images = replace(images, labels=None)
    measured = measure(tiny_model(n_reals, n_bits), images.subset(slice(0, 120)), images.subset(slice(120, None)))
    names = set(measured.trained.metrics)
    assert ("MIG" in names) == (known == "factors")
    assert ("MIG, a column per bit" in names) == (known == "factors" and n_bits == 2)
    assert ("NMI of code and label" in names) == (known != "nothing" and n_bits > 0)
    assert any(name.startswith("z tells of") for name in names) == (n_reals > 0)
    assert (len(measured.reals), len(measured.bits)) == (n_reals, n_bits)
    assert json.loads(json.dumps(measured.plain(), allow_nan=False))["data"] == images.name
    for heads, rows in (told_table(measured), real_table(measured.reals), bit_table(measured.bits, ())):
        assert all(len(row) == len(heads) for row in rows)
    assert all(len(row) == 4 for row in measurement_rows(measured))


def test_the_table_names_how_everything_was_estimated(perfect):
    text = "\n".join(settings_lines(perfect.trained))
    rows = measurement_rows(perfect)
    for name in perfect.trained.metrics:
        if "tells of" not in name:
            assert name in text
            assert any(row[0] == name and row[1] and row[2] for row in rows), name
    for part in ("n_train 10000, n_test 5000, group 64", "bins 20", "what z tells: read_by Hist"):
        assert part in text


def test_a_table_is_also_markdown(perfect):
    report = markdown_report("model", perfect)
    for text in ("## model", "1,200 test images of planted", "| MIG | ", "| turn | ", "- MIG"):
        assert text in report, text
    assert markdown(("a", "b"), [("1", "x | y")]) == "| a | b |\n| --- | --- |\n| 1 | x \\| y |"


def test_the_untrained_network_has_the_same_shape_and_is_always_the_same_one():
    model = tiny_model(2, 3, seed=5)
    first, again = untrained(model), untrained(model)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(next(first.parameters()), next(model.parameters()))
    assert (first.n_reals, first.n_bits, first.image_shape) == (2, 3, (1, 8, 8))
