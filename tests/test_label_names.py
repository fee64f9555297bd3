"""What codes, bits and reals are called after."""

import torch

from mrvae_lib.analysis.evaluation import bit_swaps, labels_of_codes


def test_codes_are_counted_by_label():
    bits = torch.tensor([[0, 0], [0, 0], [1, 0], [0, 0]]).float()
    counts = labels_of_codes(bits, torch.tensor([7, 7, 3, 1]))
    assert {code: dict(count) for code, count in counts.items()} == {0: {7: 2, 1: 1}, 2: {3: 1}}


def test_a_bit_swaps_the_commonest_labels_of_the_codes_it_joins_most_frequent_first():
    codes = torch.tensor([[0, 0]] * 2 + [[1, 0]] * 3 + [[0, 1]] * 5 + [[1, 1]] * 5).float()
    counts = labels_of_codes(codes, torch.tensor([4] * 2 + [9] * 3 + [3] * 5 + [8] * 5))
    assert bit_swaps(counts, 2, 0) == [(3, 8), (4, 9)]
    assert bit_swaps(counts, 2, 1) == [(9, 8), (4, 3)]


def test_a_bit_between_codes_of_one_label_swaps_nothing():
    counts = labels_of_codes(torch.tensor([[0.0], [1.0]]), torch.tensor([5, 5]))
    assert bit_swaps(counts, 1, 0) == []
