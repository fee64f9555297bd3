"""Everything that is measured of a model, and the table of its latents, where the answers are known."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from benchmarks.shipped import markdown, markdown_report
from mrvae_lib.analysis.latent_report import active_units, bit_rows, measure, names_of_reals, real_rows, untrained
from mrvae_lib.analysis.tables import bit_table, measurement_rows, real_table, told_table
from mrvae_lib.data import ImageSet
from mrvae_lib.model.vae import MRVAE, Posterior
from tests.conftest import tiny_images, tiny_model

TURN, SHAPE = torch.arange(3000) % 10, torch.arange(3000) // 10 % 2
TARGETS = {"turn": TURN, "shape": SHAPE}


def planted_set(n=1200):
    """Images whose pixels hold the factors: a shape of two kinds, a turn of six, a place of five."""
    draws = torch.Generator().manual_seed(0)
    factors = torch.stack([torch.randint(size, (n,), generator=draws) for size in (2, 6, 5)], dim=1)
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
    assert perfect.trained.scores["code_accuracy"] == 1
    for name in ("beta-VAE score", "FactorVAE score", "MIG", "modularity", "explicitness",
                 "DCI-histogram disentanglement", "NMI of code and label"):
        assert perfect.trained.metrics[name].score == pytest.approx(1, abs=0.02), name
        assert perfect.untrained.metrics[name].score < 0.97, name


def test_what_bits_and_reals_tell_adds_up_to_the_factors_and_is_told_apart(perfect):
    b, z = perfect.trained.told["b"], perfect.trained.told["z"]
    assert b["shape"].score == pytest.approx(math.log(2), abs=0.02)
    assert z["shape"].score == pytest.approx(0, abs=0.03)
    assert b["turn"].score == pytest.approx(0, abs=0.03)
    assert z["turn"].score == pytest.approx(math.log(6), abs=0.15)
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
    # Of colours, the label is all that can be asked; of grey images their measures, which takes longer.
    shape = (3, 8, 8) if known == "labels" else (1, 8, 8)
    images = planted_set(300) if known == "factors" else tiny_images(160, shape=shape)
    if known == "nothing":
        images = replace(images, labels=None)
    measured = measure(tiny_model(n_reals, n_bits, shape=shape), images.subset(slice(0, 80)), images.subset(slice(80, None)))
    names = set(measured.trained.metrics)
    assert ("MIG" in names) == (known == "factors")
    assert ("MIG, a column per bit" in names) == (known == "factors" and n_bits == 2)
    assert ("NMI of code and label" in names) == (known != "nothing" and n_bits > 0)
    assert set(measured.trained.told) == {kind for kind, n in (("b", n_bits), ("z", n_reals)) if n}
    assert (len(measured.reals), len(measured.bits)) == (n_reals, n_bits)
    assert json.loads(json.dumps(asdict(measured), allow_nan=False))["data"] == images.name
    for heads, rows in (told_table(measured), real_table(measured.reals), bit_table(measured.bits, ())):
        assert all(len(row) == len(heads) for row in rows)
    assert all(len(row) == 4 for row in measurement_rows(measured))


def test_the_table_has_every_metric_of_both_networks(perfect):
    assert {row[0] for row in measurement_rows(perfect) if row[1] and row[2]} >= set(perfect.trained.metrics)


def test_a_table_is_also_markdown(perfect):
    report = markdown_report("model", perfect)
    for text in ("## model", "1,200 test images of planted", "| MIG | ", "| turn | "):
        assert text in report, text
    assert markdown(("a", "b"), [("1", "x | y")]) == "| a | b |\n| --- | --- |\n| 1 | x \\| y |"


def test_the_untrained_network_has_the_same_shape_and_is_always_the_same_one():
    model = tiny_model(2, 3, seed=5)
    first, again = untrained(model), untrained(model)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(next(first.parameters()), next(model.parameters()))
    assert (first.n_reals, first.n_bits, first.image_shape) == (2, 3, (1, 8, 8))


def test_a_unit_is_active_when_its_mean_varies_by_more_than_the_threshold():
    means = np.random.default_rng(0).normal(size=(5000, 3)) * [1, 0.12, 0.08]
    assert active_units(means).score == 2
    assert active_units(np.full((10, 2), 0.3)).score == 0


# One row per latent


def planted():
    """z0 is the turn, z1 is nothing, z2 is the shape with as much noise; b0 is the shape, b1 is constant."""
    noise = torch.randn(3000, generator=torch.Generator().manual_seed(0))
    mu = torch.stack([(TURN - 4.5) / 2.872, torch.zeros(3000), SHAPE * 2.0 - 1 + noise], dim=1)
    logvar = torch.tensor([0.01, 1.0, 0.1]).log().expand(3000, -1)
    logits = torch.stack([SHAPE * 40.0 - 20, torch.full((3000,), 30.0), torch.zeros(3000)], dim=1)
    return Posterior(mu, logvar, logits)


def test_each_real_has_its_part_of_the_kl_and_the_factor_it_tells_most_of_with_the_share_it_explains():
    rows = real_rows(planted(), TARGETS)
    assert [row.name for row in rows] == ["z0", "z1", "z2"]
    assert (rows[0].about, rows[2].about) == ("turn", "shape")
    assert rows[0].r2 == pytest.approx(1, abs=1e-6)
    assert rows[0].information == pytest.approx(math.log(10), abs=0.01)
    assert rows[2].r2 == pytest.approx(0.5, abs=0.03)
    assert sum(row.kl for row in rows) == pytest.approx(float(planted().kl_reals().sum(dim=1).mean()), rel=1e-5)
    assert (rows[1].r2, rows[1].information) == (0, 0)
    assert [row.posterior_variance for row in rows] == pytest.approx([0.01, 1, 0.1])


def test_a_slider_is_named_after_what_explains_most_of_its_real_but_never_after_the_label():
    assert names_of_reals(planted(), TARGETS) == {"0": ["turn", 1.0]}  # the shape explains 49 % of z2
    assert names_of_reals(planted(), {"label": TURN}) == {}


def test_a_real_or_bit_that_tells_nothing_is_not_named(generator):
    reals = real_rows(planted(), TARGETS)
    assert (reals[1].kl, reals[1].about) == (0, "")
    noise = Posterior(torch.randn(300, 2, generator=generator), torch.full((300, 2), -5.0), torch.zeros(300, 0))
    of_noise = real_rows(noise, {"turn": TURN[:300]})
    assert all(row.kl > 2 and row.information > 0.1 and row.about == "" for row in of_noise)  # few images tell by chance
    quiet = planted()
    quiet = Posterior(quiet.mu / 100, torch.zeros_like(quiet.mu), quiet.bit_logits / 1000)
    assert [row.about for row in real_rows(quiet, TARGETS)] == ["", "", ""]  # its mean tells, a draw of it cannot
    assert [row.about for row in bit_rows(tiny_model(3, 3), quiet, TARGETS)] == ["", "", ""]


def test_each_bit_says_what_it_tells_per_class_what_flipping_it_changes_and_whether_it_is_constant_or_undecided():
    model = tiny_model(n_reals=3, n_bits=3)
    with torch.no_grad():
        model.decoder[0].weight[:, 4] = 0  # the decoder does not look at b1
    rows = bit_rows(model, planted(), TARGETS, SHAPE)
    assert [row.state for row in rows] == ["", "constant", "undecided"]
    assert [line[-2] for line in bit_table(rows, ())[1]] == ["shape", "constant", "undecided"]
    assert rows[0].about == "shape"
    assert (rows[0].about_information, rows[0].information) == pytest.approx((math.log(2), math.log(2)), abs=1e-3)
    assert rows[0].share_on_per_class == pytest.approx((0, 1), abs=1e-3)
    assert rows[1].share_on == pytest.approx(1, abs=1e-3)
    assert [row.information for row in rows[1:]] == pytest.approx([0, 0], abs=1e-6)  # constant, and tossed
    assert rows[2].share_on == pytest.approx(0.5)
    assert rows[1].pixel_change == 0
    assert rows[0].pixel_change > 0


def test_without_targets_labels_or_bits_the_table_is_shorter_and_does_not_break():
    assert [row.about for row in real_rows(planted(), {})] == ["", "", ""]
    assert bit_rows(tiny_model(n_reals=3, n_bits=3), planted(), {})[0].share_on_per_class == ()
    nothing = Posterior(torch.randn(50, 2), torch.zeros(50, 2), torch.zeros(50, 0))
    assert bit_rows(tiny_model(2, 0), nothing, {}) == []
    assert real_rows(Posterior(torch.zeros(50, 0), torch.zeros(50, 0), torch.zeros(50, 1)), {}) == []
