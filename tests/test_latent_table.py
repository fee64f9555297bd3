"""The table of latents of codes whose meaning is planted."""

import math

import pytest
import torch

from mrvae_lib.analysis.latent_table import bit_rows, real_rows
from mrvae_lib.analysis.tables import bit_table
from mrvae_lib.model.vae import Posterior
from tests.conftest import tiny_model

GENERATOR = torch.Generator().manual_seed(0)
TURN, SHAPE = torch.arange(3000) % 10, torch.arange(3000) // 10 % 2
TARGETS = {"turn": TURN, "shape": SHAPE}


def planted():
    """z0 is the turn, z1 is nothing, z2 is the shape with as much noise; b0 is the shape, b1 is constant."""
    noise = torch.randn(3000, generator=GENERATOR)
    mu = torch.stack([(TURN - 4.5) / 2.872, torch.zeros(3000), SHAPE * 2.0 - 1 + noise], dim=1)
    logvar = torch.tensor([0.01, 1.0, 0.1]).log().expand(3000, -1)
    logits = torch.stack([SHAPE * 40.0 - 20, torch.full((3000,), 30.0), torch.zeros(3000)], dim=1)
    return Posterior(mu, logvar, logits)


def test_each_real_is_named_by_the_factor_it_tells_most_of_with_the_share_it_explains():
    rows = real_rows(planted(), TARGETS)
    assert [row.name for row in rows] == ["z0", "z1", "z2"]
    assert (rows[0].about, rows[2].about) == ("turn", "shape")
    assert rows[0].r2 == pytest.approx(1, abs=1e-6)
    assert rows[0].information == pytest.approx(math.log(10), abs=0.01)
    assert rows[2].r2 == pytest.approx(0.5, abs=0.03)
    assert (rows[1].r2, rows[1].information) == (0, 0)
    assert [row.posterior_variance for row in rows] == pytest.approx([0.01, 1, 0.1])


def test_a_real_or_bit_that_tells_nothing_is_not_named():
    reals = real_rows(planted(), TARGETS)
    assert (reals[1].kl, reals[1].about) == (0, "")
    noise = Posterior(torch.randn(300, 2, generator=GENERATOR), torch.full((300, 2), -5.0), torch.zeros(300, 0))
    of_noise = real_rows(noise, {"turn": TURN[:300]})
    assert all(row.kl > 2 and row.information > 0.1 and row.about == "" for row in of_noise)  # few images tell by chance
    quiet = planted()
    quiet = Posterior(quiet.mu / 100, torch.zeros_like(quiet.mu), quiet.bit_logits / 1000)
    assert [row.about for row in real_rows(quiet, TARGETS)] == ["", "", ""]  # its mean tells, a draw of it cannot
    assert [row.about for row in bit_rows(tiny_model(3, 3), quiet, TARGETS)] == ["", "", ""]


def test_bits_that_know_nothing_are_reported_as_constant_or_undecided():
    rows = bit_rows(tiny_model(n_reals=3, n_bits=3), planted(), TARGETS)
    assert [row.state for row in rows] == ["used", "constant", "undecided"]
    assert [line[-2] for line in bit_table(rows, ())[1]] == ["shape", "constant", "undecided"]


def test_the_kl_of_all_reals_sums_to_the_kl_of_z():
    posterior = planted()
    total = sum(row.kl for row in real_rows(posterior, TARGETS))
    assert total == pytest.approx(float(posterior.kl_reals().sum(dim=1).mean()), rel=1e-5)


def test_each_bit_says_how_often_it_is_on_per_class_what_it_tells_and_what_flipping_it_changes():
    model = tiny_model(n_reals=3, n_bits=3)
    with torch.no_grad():
        model.decoder[0].weight[:, 4] = 0  # the decoder does not look at b1
    rows = bit_rows(model, planted(), TARGETS, SHAPE)
    assert rows[0].about == "shape"
    assert rows[0].about_information == pytest.approx(math.log(2), abs=1e-3)
    assert rows[0].information == pytest.approx(math.log(2), abs=1e-3)
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
