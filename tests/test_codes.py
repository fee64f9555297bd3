"""The table of codes: its order, its probabilities, and the identities of its information."""

import math

import pytest
import torch
from torch.distributions import Bernoulli

from mrvae_lib.model.codes import CodeTable, all_codes, code_index, log_code_probs
from mrvae_lib.model.vae import Posterior


def test_codes_are_listed_in_counting_order_and_found_again_and_no_bits_make_one_empty_code():
    codes = all_codes(3)
    assert codes.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]]
    assert code_index(codes).tolist() == list(range(8))
    assert all_codes(0).shape == (1, 0)


def test_a_table_too_wide_is_refused():
    with pytest.raises(ValueError, match=r"0\.\.12.*got 13"):
        all_codes(13)


def test_code_probabilities_equal_torch_distributions_and_sum_to_one(generator):
    logits = 2 * torch.randn(5, 4, generator=generator)
    log_probs = log_code_probs(logits)
    by_hand = torch.stack([Bernoulli(logits=logits).log_prob(code.expand(5, -1)).sum(1) for code in all_codes(4)], dim=1)
    torch.testing.assert_close(log_probs, by_hand)
    torch.testing.assert_close(log_probs.exp().sum(dim=1), torch.ones(5))


def test_kl_of_the_code_is_information_and_aggregate_and_bits_together_tell_the_code_plus_what_they_share(generator):
    shared = torch.randn(500, 1, generator=generator)
    logits = 4 * (shared + 0.5 * torch.randn(500, 6, generator=generator)).double()
    table = CodeTable.from_logits(logits)
    mean_kl = Posterior(logits[:, :0], logits[:, :0], logits).kl_bits().sum(dim=1).mean()
    assert abs(mean_kl - (table.information + table.aggregate_kl)) < 1e-6
    assert table.total_correlation > 0.5
    assert abs(table.bit_information.sum() - (table.information + table.total_correlation)) < 1e-6


@pytest.mark.parametrize(("two", "tells"), [([30.0, 30.0], 0), ([40.0, -40.0], math.log(2))])
def test_a_sure_bit_costs_ln_2_and_tells_it_if_decided_half_the_time_but_nothing_if_it_is_always_one(two, tells):
    logits = torch.tensor(two).repeat(50)[:, None]
    assert abs(Posterior(logits[:, :0], logits[:, :0], logits).kl_bits().mean() - math.log(2)) < 1e-6
    assert abs(float(CodeTable.from_logits(logits).information) - tells) < 1e-6


def test_the_table_is_finite_at_logits_of_200():
    table = CodeTable.from_logits(torch.tensor([[200.0, -200.0], [-200.0, -200.0]]))
    assert torch.isfinite(table.bit_information).all()
    assert math.isclose(float(table.information), math.log(2), abs_tol=1e-9)
