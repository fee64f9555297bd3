"""Reading gaze off codes: planted codes are read, foreign ones are not."""

import pytest
import torch

from benchmarks.gaze_head import gaze_head, read_gaze


def planted(n, warp, generator):
    gaze = 2 * torch.rand(n, 2, generator=generator) - 1
    return warp(gaze), gaze


def test_the_head_is_source_001_s():
    assert sum(p.numel() for p in gaze_head(10).parameters()) == 10 * 2048 + 2048 + 2048 * 1024 + 1024 + 1024 * 2 + 2


def test_a_linear_code_is_read_by_both(generator):
    mixing = torch.randn(2, 5, generator=generator)
    read = read_gaze(*(planted(n, lambda gaze: gaze @ mixing, generator) for n in (400, 100)), epochs=20)
    assert read["linear"].r_squared == pytest.approx((1, 1), abs=1e-6)
    assert read["linear"].mean_error < 1e-4
    assert min(read["head"].r_squared) > 0.98


def test_a_bent_code_is_read_by_the_head_and_not_by_a_line(generator):
    def bend(gaze):
        return torch.stack([(3 * gaze[:, 0]).cos(), (3 * gaze[:, 0] + 0.5).sin(), gaze[:, 1].square(), gaze.sum(dim=1)], 1)

    read = read_gaze(*(planted(n, bend, generator) for n in (600, 200)), epochs=30)
    assert min(read["head"].r_squared) > 0.95
    assert min(read["linear"].r_squared) < 0.8
    assert read["head"].mean_error < read["linear"].mean_error / 2


def test_a_code_of_other_images_tells_nothing(generator):
    read = read_gaze(*((torch.randn(n, 4, generator=generator), planted(n, lambda g: g, generator)[1]) for n in (300, 200)),
                     epochs=5)
    assert max(read["linear"].r_squared) < 0.1
    assert max(read["head"].r_squared) < 0.1
