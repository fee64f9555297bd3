"""Traversals and figures of a model whose answers are known."""

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from mrvae_lib.analysis.figures import (
    latent_scatter,
    plot_capacity,
    plot_code_lattice,
    plot_code_samples,
    plot_code_usage,
    plot_factor_information,
    plot_information,
    plot_reconstructions,
    plot_traversals,
    save_figure,
    show_pictures,
)
from mrvae_lib.analysis.pictures import save_real_gifs, save_strip, save_traversal_gif, tile
from mrvae_lib.analysis.traversals import (
    bit_by_real,
    bit_flips,
    code_lattice,
    image_start,
    interpolate,
    prior_start,
    real_sweep,
    sweep_values,
)
from mrvae_lib.model.codes import all_codes
from tests.conftest import tiny_model


def test_a_sweep_moves_one_real_and_nothing_else():
    model, z, b = tiny_model(n_reals=3), torch.tensor([0.1, 0.2, 0.3]), torch.tensor([1.0, 0.0, 1.0])
    pictures = real_sweep(model, z, b, 1, torch.tensor([-1.0, 0.2]))
    torch.testing.assert_close(pictures[1], model.decode(z[None], b[None])[0])
    torch.testing.assert_close(pictures[0], model.decode(torch.tensor([[0.1, -1.0, 0.3]]), b[None])[0])


def test_sweep_values_include_both_ends():
    assert sweep_values(11)[[0, 5, 10]].tolist() == [-2.5, 0, 2.5]


def test_a_sweep_spans_values_or_quantiles_of_the_data_or_of_the_prior():
    assert sweep_values(10, ends=(-3, 3)).tolist() == pytest.approx([-3 + 6 * k / 9 for k in range(10)])
    assert sweep_values(3, "prior").tolist() == pytest.approx([-1.645, 0, 1.645], abs=1e-3)
    means = torch.arange(101.0).flip(0)
    assert sweep_values(3, "data", ends=(0, 1), means=means).tolist() == [0, 50, 100]
    for kind, ends in (("prior", (0, 1)), ("data", (-0.1, 1)), ("data", (0.9, 0.1))):
        with pytest.raises(ValueError, match="two probabilities"):
            sweep_values(3, kind, ends=ends, means=means)
    with pytest.raises(ValueError, match="absolute, data, prior, got 'wide'"):
        sweep_values(3, "wide")
    with pytest.raises(ValueError, match="means of this real"):
        sweep_values(3, "data")


def test_a_start_is_an_image_or_a_draw_of_the_prior():
    model, x = tiny_model(), torch.rand(1, 8, 8)
    z, b = image_start(model, x)
    torch.testing.assert_close(model.decode(z[None], b[None]), model.reconstruct(x[None]))
    z, b = prior_start(model, torch.Generator().manual_seed(0))
    assert (z.shape, b.shape) == ((2,), (3,))
    assert set(b.tolist()) <= {0.0, 1.0}


def test_a_bit_is_crossed_with_a_real():
    model, z, b, values = tiny_model(), torch.randn(2), torch.tensor([1.0, 0, 1]), torch.tensor([-1.0, 0, 1])
    crossed = bit_by_real(model, z, b, 1, 0, values)
    assert crossed.shape == (2, 3, 1, 8, 8)
    torch.testing.assert_close(crossed[0], real_sweep(model, z, b, 0, values))
    torch.testing.assert_close(crossed[1], real_sweep(model, z, torch.ones(3), 0, values))


def test_an_interpolation_starts_and_ends_at_its_ends_and_shows_only_hard_codes():
    model = tiny_model()
    start, end = (torch.zeros(2), torch.tensor([0.0, 0, 1])), (torch.ones(2), torch.tensor([1.0, 0, 1]))
    pictures = interpolate(model, start, end, 4)
    for picture, share, code in zip(pictures, (0, 1 / 3, 2 / 3, 1), (start, start, end, end), strict=True):
        torch.testing.assert_close(picture, model.decode(torch.full((1, 2), float(share)), code[1][None])[0])


def test_animations_have_a_frame_per_value_and_strips_a_column_per_image(tmp_path):
    model = tiny_model(n_reals=3)
    paths = save_real_gifs(model, torch.zeros(3), torch.ones(3), tmp_path)
    assert [path.name for path in paths] == ["anim_z0.gif", "anim_z1.gif", "anim_z2.gif"]
    with Image.open(paths[1]) as gif:
        assert gif.n_frames == 10
    with Image.open(save_strip(torch.rand(6, 1, 8, 8), tmp_path / "strip.png", columns=3, scale=2)) as image:
        assert image.size == (2 * (3 * 9 + 1), 2 * (2 * 9 + 1))


def test_a_flip_shows_each_start_with_the_bit_off_and_on():
    model, z = tiny_model(), torch.randn(4, 2)
    b = torch.tensor([[0.0, 0, 1], [1, 1, 1], [0, 1, 0], [1, 0, 0]])
    pairs = bit_flips(model, z, b, 1)
    assert pairs.shape == (4, 2, 1, 8, 8)
    off, on = b.clone(), b.clone()
    off[:, 1], on[:, 1] = 0, 1
    torch.testing.assert_close(pairs[:, 0], model.decode(z, off))
    torch.testing.assert_close(pairs[:, 1], model.decode(z, on))


def test_the_lattice_is_every_code_at_the_same_reals():
    model, z = tiny_model(), torch.randn(2)
    torch.testing.assert_close(code_lattice(model, z), model.decode(z.expand(8, -1), all_codes(3)))


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
    figures = [
        plot_traversals(model, mu, bits, kl, [0.3] * n_bits),
        plot_reconstructions(model, torch.rand(4, channels, 8, 8)),
        plot_information(kl, [0.3] * n_bits),
        show_pictures(torch.rand(4, channels, 8, 8), 2),
        plot_code_lattice(model, mu[0]),
    ]
    for i, figure in enumerate(figures):
        path = save_figure(figure, tmp_path / f"{i}.png")
        assert Image.open(path).size[0] > 50
    with Image.open(save_traversal_gif(model, mu[0], bits[0], kl, tmp_path / "t.gif")) as gif:
        assert gif.n_frames > 1
    assert not plt.get_fignums()


def test_bars_show_the_values_they_are_given():
    ax = plot_information([1.5, 0.2], [0.6])
    assert [bar.get_height() for bar in ax.patches] == [1.5, 0.2, 0.6]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["z0", "z1", "b0"]
    plt.close("all")


def test_a_scatter_shows_the_plane_of_largest_variance_with_a_colour_per_label():
    generator = torch.Generator().manual_seed(0)
    mu = torch.randn(400, 4, generator=generator) * torch.tensor([0.1, 3.0, 0.1, 1.0])
    labels = torch.arange(400) % 3
    ax = latent_scatter(mu, labels, ["a", "b", "c"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]
    drawn = torch.from_numpy(ax.collections[0].get_offsets().data)
    torch.testing.assert_close(drawn, (mu - mu.mean(0))[labels == 0][:, [1, 3]].double(), atol=0.15, rtol=0)
    assert "90 % of the variance" in ax.get_xlabel()
    plt.close("all")


@pytest.mark.parametrize("n_reals", [1, 2])
def test_a_scatter_of_few_reals_is_drawn_and_of_none_refused(n_reals):
    assert len(latent_scatter(torch.randn(30, n_reals)).collections[0].get_offsets()) == 30
    plt.close("all")
    with pytest.raises(ValueError, match="D at least 1"):
        latent_scatter(torch.zeros(30, 0))


def test_the_map_of_information_shows_every_latent_and_factor_with_its_value():
    ax = plot_factor_information([[0.5, 0.0], [0.1, 1.2], [0.0, 0.3]], ["shape", "turn"], n_bits=1)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["z0", "z1", "b0"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["shape", "turn"]
    assert [text.get_text() for text in ax.texts] == ["0.50", "0.00", "0.10", "1.20", "0.00", "0.30"]
    with pytest.raises(ValueError, match="2 names"):
        plot_factor_information([[0.5]], ["shape", "turn"])
    plt.close("all")


def test_usage_is_a_bar_per_code_beside_even_use():
    ax = plot_code_usage(torch.tensor([0.5, 0.25, 0.25, 0.0]))
    assert [bar.get_height() for bar in ax.patches] == [50, 25, 25, 0]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["00", "01", "10", "11"]
    plt.close("all")


def test_kl_is_drawn_over_its_capacity():
    ax = plot_capacity([0, 100, 200], [0.1, 5.2, 10.1], [0, 5, 10])
    assert [line.get_ydata()[-1] for line in ax.lines] == [10.1, 10]
    assert "nats" in ax.get_ylabel()
    plt.close("all")


def test_samples_of_a_code_are_a_row_named_by_the_code():
    ax = plot_code_samples(tiny_model(n_bits=2), n=5, generator=torch.Generator().manual_seed(0))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["00", "01", "10", "11"]
    plt.close("all")
