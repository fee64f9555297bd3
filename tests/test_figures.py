"""Traversals and figures of a model whose answers are known."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from mrvae_lib.analysis import figures
from mrvae_lib.analysis.pictures import enlarged, png_bytes, save_gif, tile
from mrvae_lib.analysis.run_report import write_more_traversals, write_traversals
from mrvae_lib.analysis.traversals import sweep_values, traverse
from mrvae_lib.model.codes import all_codes
from tests.conftest import tiny_model


def test_a_real_takes_each_value_while_the_others_stay():
    model, z, b = tiny_model(n_reals=3), torch.tensor([0.1, 0.2, 0.3]), torch.tensor([1.0, 0.0, 1.0])
    pictures = traverse(model, z, b, real=1, values=torch.tensor([-1.0, 0.2]))
    torch.testing.assert_close(pictures[1], model.decode(z[None], b[None])[0])
    torch.testing.assert_close(pictures[0], model.decode(torch.tensor([[0.1, -1.0, 0.3]]), b[None])[0])
    assert torch.equal(traverse(model, z, b, real=0), traverse(model, z, b, real=0, values=sweep_values()))


def test_a_bit_is_off_and_then_on_from_each_starting_point():
    model, z = tiny_model(), torch.randn(4, 2)
    b = torch.tensor([[0.0, 0, 1], [1, 1, 1], [0, 1, 0], [1, 0, 0]])
    pairs = traverse(model, z, b, bit=1)
    assert pairs.shape == (4, 2, 1, 8, 8)
    for value in (0, 1):
        torch.testing.assert_close(pairs[:, value], model.decode(z, b.index_fill(1, torch.tensor(1), value)))


def test_without_a_latent_every_code_is_shown_at_the_same_reals():
    model, z = tiny_model(), torch.randn(2)
    torch.testing.assert_close(traverse(model, z, torch.zeros(3)), model.decode(z.expand(8, -1), all_codes(3)))


def test_sweep_values_include_both_ends():
    assert sweep_values(11)[[0, 5, 10]].tolist() == [-2.5, 0, 2.5]
    assert sweep_values(10, (-3, 3)).tolist() == pytest.approx([-3 + 6 * k / 9 for k in range(10)])


@pytest.mark.parametrize(("wrong", "message"), [
    ({"real": 0, "bit": 1}, "one latent at a time, got real=0 and bit=1"),
    ({"real": 2}, "real must be one of the model's 2, counted from 0, got 2"),
    ({"bit": -1}, "bit must be one of the model's 3, counted from 0, got -1"),
    ({"bit": 1, "values": torch.zeros(1)}, "name one, such as real=0"),
])
def test_a_traverse_of_what_is_not_there_is_refused_in_one_line(wrong, message):
    with pytest.raises(ValueError, match=message):
        traverse(tiny_model(), torch.zeros(2), torch.zeros(3), **wrong)


def test_an_animation_has_a_frame_per_value_and_a_png_loses_nothing(tmp_path):
    frames = torch.rand(10, 2, 3, 8, 8)
    with Image.open(save_gif(frames, tmp_path / "a.gif")) as gif:
        assert (gif.n_frames, gif.size) == (10, (67 * 19, 67 * 10))  # as large as fits on a slide of 1280 x 720
        np.testing.assert_array_equal(np.asarray(gif.convert("RGB"))[::67, ::67], tile(frames[0], 2))
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(Image.open(io.BytesIO(png_bytes(enlarged(picture, 2))))
                                  .resize((4, 2), Image.Resampling.NEAREST), picture)


def test_pictures_are_tiled_row_by_row_with_white_between():
    pictures = torch.zeros(3, 1, 4, 5)
    pictures[1] = 0.5
    grid = tile(pictures, columns=2)
    assert grid.shape == (11, 13, 3)
    assert (grid[0] == 255).all()
    assert (grid[1:5, 7:12] == 128).all()


@pytest.mark.parametrize(("n_reals", "n_bits"), [(2, 3), (2, 0), (0, 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_figure_is_drawn_for_every_kind_of_model(tmp_path, n_reals, n_bits, channels):
    model = tiny_model(n_reals, n_bits, shape=(channels, 8, 8))
    mu, bits, kl = torch.randn(5, n_reals), torch.ones(5, n_bits), [0.5] * n_reals
    drawn = [
        figures.plot_traversals(model, mu, bits, kl, [0.3] * n_bits),
        figures.plot_reconstructions(model, torch.rand(4, channels, 8, 8)),
        figures.plot_information(kl, [0.3] * n_bits),
        figures.show_pictures(torch.rand(4, channels, 8, 8), 2),
        figures.plot_code_lattice(model, mu[0]),
    ]
    for i, figure in enumerate(drawn):
        assert Image.open(figures.save_figure(figure, tmp_path / f"{i}.png")).size[0] > 50
    model.examples = {"mu": mu, "bits": bits}
    model.card = {"scores": {"kl_of_real": kl, "information_of_bit": [0.3] * n_bits}}
    written = {path.name for path in write_traversals(model, tmp_path) + write_more_traversals(model, tmp_path)}
    expected = {"traversals.png", "traversals.gif", *(f"anim_z{i}.gif" for i in range(n_reals))}
    expected |= {"lattice.png"} if n_bits else set()
    assert written == expected
    assert Image.open(tmp_path / "traversals.gif").n_frames > 1
    assert not plt.get_fignums()


def test_a_grid_of_pictures_names_its_rows_and_captions_each_picture_below_it():
    pictures = torch.rand(4, 3, 8, 8)
    ax = figures.show_pictures(pictures, 2, title="four", row_names=["up", "down"], captions=["a", "b", "c", "d"])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["up", "down"]
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c", "d"]
    grid = ax.images[0].get_array()
    for i, text in enumerate(ax.texts):
        x, y = (round(place) for place in text.get_position())
        column = 1 + 9 * (i % 2)
        assert column < x < column + 8
        np.testing.assert_array_equal(grid[y - 8 : y, column : column + 8],
                                      (pictures[i] * 255).round().byte().permute(1, 2, 0))


def test_bars_show_the_values_they_are_given():
    ax = figures.plot_information([1.5, 0.2], [0.6])
    assert [bar.get_height() for bar in ax.patches] == [1.5, 0.2, 0.6]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["z0", "z1", "b0"]
