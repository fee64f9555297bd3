"""What a run leaves behind: pictures of the stated epochs at the stated places, the page, and the trackers' files."""

import base64
import io
import re
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from mrvae_lib.analysis import run_report
from mrvae_lib.analysis.figures import figure_png, plot_metrics, plot_scatter
from mrvae_lib.analysis.pictures import tile
from mrvae_lib.analysis.run_report import EpochPictures, picture_epochs, plot_pairs, plot_samples, plot_sweep
from mrvae_lib.config import ConfigError, TrainConfig
from mrvae_lib.data import ImageSet
from mrvae_lib.training.callbacks import HeldOut, JsonLines, TensorBoard, read_metrics
from mrvae_lib.training.loop import train
from tests.conftest import At, Page, tiny_images, tiny_model, tiny_run

KINDS = ["reconstructions", "sweep", "samples", "history"]


def tiny_config(network="mlp", **settings):
    config = tiny_run(**settings)
    hidden = (16,) if network == "mlp" else (4, 8, 16)
    return config.model_copy(update={"model": config.model.model_copy(update={"network": network, "hidden": hidden})})


def run_with_pictures(folder, config, images=None, tensorboard=None):
    images = images or tiny_images()
    callbacks = [HeldOut(images), JsonLines(folder / "metrics.jsonl"), *filter(None, [tensorboard]),
                 EpochPictures(folder / "pictures", images, tensorboard)]
    return train(config, folder, images=images, callbacks=callbacks)


@pytest.fixture(scope="module", params=["mlp", "conv"])
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return folder, run_with_pictures(folder, tiny_config(request.param, pictures="all"))


def test_every_epoch_leaves_every_picture_at_its_place(run):
    folder, _ = run
    for kind in KINDS:
        names = sorted(path.name for path in (folder / "pictures" / kind).iterdir())
        assert names == [*(["0000.png"] if kind == "history" else []), *(f"{n:04}.png" for n in range(1, 5))]
    for name in ("real", "history", "scatter"):
        Image.open(folder / "pictures" / f"{name}.png").verify()
    assert not plt.get_fignums()


def test_reconstructions_are_the_models_beside_the_originals():
    x = tiny_images().first(36).floats()
    made = tiny_model().reconstruct(x).detach()
    ax = plot_pairs(x, made, "epoch 4")
    grid = tile(torch.stack([x, made], dim=1).flatten(0, 1), 12)
    np.testing.assert_array_equal(ax.images[0].get_array(), grid)
    np.testing.assert_array_equal(grid[:, 9:18], tile(made, 6)[:, :9])
    assert f"error per pixel {float((x - made).square().mean()):.4f}" in ax.get_title(loc="left")


def test_the_history_holds_the_originals_and_one_row_for_each_epoch(run):
    folder, model = run
    rows = [np.asarray(Image.open(path).convert("L")) for path in sorted((folder / "pictures" / "history").iterdir())]
    assert [row.shape for row in rows] == [(8, 80)] * 5
    x = tiny_images().first(10).floats()
    made = model.reconstruct(x).detach()
    for row, pictures in ((rows[0], x), (rows[-1], made)):
        np.testing.assert_allclose(row.astype(int), tile(pictures, 10, gap=0)[:, :, 0], atol=1)
    wide, high = Image.open(folder / "pictures" / "history.png").size
    assert wide > high > 200


@pytest.mark.parametrize(("pictures", "expected"), [
    ("few", {1, 2, 5, 10, 20, 50, 100, 150}), ("none", set()), ("all", set(range(1, 151))), ([3, 150], {3, 150}),
])
def test_the_configuration_chooses_the_epochs(pictures, expected):
    assert picture_epochs(TrainConfig(epochs=150, pictures=pictures)) == expected


def test_a_run_without_pictures_leaves_none(tmp_path):
    run_with_pictures(tmp_path, tiny_config(pictures="none"))
    assert not (tmp_path / "pictures").exists()


def test_drawing_changes_no_weight_and_no_draw_of_the_run(tmp_path):
    plain = train(tiny_config(), images=tiny_images())
    drawn = run_with_pictures(tmp_path, tiny_config(pictures="all"))
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), drawn.state_dict().values(), strict=True))


def test_a_resumed_run_draws_the_epochs_it_repeats_and_keeps_the_others(tmp_path):
    config = tiny_config(pictures="all")
    pictures = EpochPictures(tmp_path / "pictures", tiny_images())
    train(config, tmp_path, images=tiny_images(), callbacks=[At(9, lambda run: run.stop.set()), pictures])
    assert len(list((tmp_path / "pictures" / "sweep").iterdir())) == 2
    run_with_pictures(tmp_path, config)
    assert len(list((tmp_path / "pictures" / "sweep").iterdir())) == 4


@torch.inference_mode()
def test_samples_are_10_rows_of_10_draws_and_the_same_in_every_epoch():
    first, second = (plot_samples(tiny_model(), "epoch 1").images[0].get_array() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (91, 91, 3)


@pytest.mark.parametrize(("n_reals", "n_bits"), [(3, 0), (0, 2), (40, 20)])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 160, 130)])
@torch.inference_mode()
def test_any_model_can_be_drawn(n_reals, n_bits, shape):
    model, images = tiny_model(n_reals, n_bits, shape=shape), tiny_images(40, shape=shape)
    x = images.first(7).floats()
    for figure in (plot_pairs(x, model.reconstruct(x), ""), plot_samples(model, ""), plot_sweep(model, images, "")):
        assert Image.open(io.BytesIO(figure_png(figure))).size[0] > 100
    assert not plt.get_fignums()


@torch.inference_mode()
def test_the_sweep_runs_over_the_datas_own_quantiles_and_prints_its_values():
    model, images = tiny_model(), tiny_images()
    ax = plot_sweep(model, images, "epoch 1")
    ends = model.encode(images.floats()).mu.quantile(torch.tensor([0.025, 0.975]), dim=0)
    captions = [text.get_text() for text in ax.texts]
    for row, (low, high) in enumerate(ends.T.tolist()):
        assert (captions[11 * row], captions[11 * row + 10]) == (f"{low:+.2f}", f"{high:+.2f}")
    assert captions[22:] == ["off", "on", "off", "on", "off", "on", "off", "on", "off", "on", ""] * 3


def test_the_scatter_has_a_point_for_each_image_and_a_legend_entry_per_class():
    labels, names = torch.arange(10_000) % 10, [f"digit {value}" for value in range(10)]
    ax = plot_scatter(torch.randn(10_000, 5), labels, names)
    assert sum(len(points.get_offsets()) for points in ax.collections) == 10_000
    assert [text.get_text() for text in ax.get_legend().get_texts()] == names


@pytest.mark.parametrize("n_reals", [1, 2])
def test_a_scatter_shows_one_or_two_reals_as_they_are(n_reals):
    mu = torch.randn(20, n_reals, generator=torch.Generator().manual_seed(0))
    (points,) = plot_scatter(mu).collections
    if n_reals == 2:
        np.testing.assert_allclose(points.get_offsets(), mu)


def test_held_out_metrics_are_the_elbo_on_hard_bits(run):
    tests = [row["test"] for row in read_metrics(run[0] / "metrics.jsonl")]
    assert len(tests) == 4
    for test in tests:
        assert test["neg_elbo"] == pytest.approx(test["reconstruction"] + test["kl_z"] + test["kl_b"])
    kl = run[1].encode(tiny_images().floats()).kl_reals().sum(dim=1).mean().detach()
    assert tests[-1]["kl_z"] == pytest.approx(float(kl), rel=1e-4)


def test_the_page_carries_every_picture_and_asks_the_network_for_nothing(run):
    text = run_report.write_page(run[0]).read_text()
    page = Page(text)
    assert len(page.values("src")) == 1 + 4 * (len(KINDS) - 1) + 2
    for source in page.values("src"):
        assert base64.b64decode(source.removeprefix("data:image/png;base64,"))[:4] == b"\x89PNG"
    assert not re.search(r"https?:|url\(|@import|<link", text)
    assert page.values("data-epoch") == ["1", "2", "3", "4"]


def test_curves_show_training_and_test_images_for_the_loss_its_parts_each_latent_and_the_weights(run):
    rows = read_metrics(run[0] / "metrics.jsonl")
    lines = {ax.get_title(loc="left"): {line.get_label(): line for line in ax.lines} for ax in plot_metrics(rows).axes}
    assert list(lines["loss"]) == ["−ELBO", "reconstruction", "test −ELBO", "test reconstruction"]
    assert set(lines["what latents carry"]) == {"KL of z", "KL of b", "I(x; b)", "test KL of z", "test KL of b"}
    assert list(lines["KL of each real"]) == ["z0", "z1"]
    assert list(lines["information of each bit"]) == ["b0", "b1", "b2"]
    assert "beta_z" in lines["weights"]
    drawn = lines["loss"]["test −ELBO"]
    assert drawn.get_linestyle() == "--"
    assert drawn.get_color() == lines["loss"]["−ELBO"].get_color()
    assert list(drawn.get_xdata()) == [1, 2, 3, 4]
    assert list(drawn.get_ydata()) == [row["test"]["neg_elbo"] for row in rows]


def test_curves_of_a_run_without_bits_or_with_nothing_yet_are_drawn():
    rows = [{"epoch": 1, "reconstruction": 5.0, "kl_z": 0.01, "kl_b": 0.0}, {"epoch": 2, "kl_z": float("nan")}]
    carried = plot_metrics(rows, ["what latents carry"]).axes[0]
    assert [line.get_label() for line in carried.lines] == ["KL of z"]
    assert carried.get_ylim() == (0, 0.5)
    assert figure_png(plot_metrics(rows))
    assert figure_png(plot_metrics([]))


def test_a_damaged_line_and_one_of_an_older_run_leave_the_page_whole(run, tmp_path):
    folder = shutil.copytree(run[0], tmp_path / "old")
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 5, "step": 20, "kl_z": 1.0, "kl_of_real/0": 0.5, "test/kl_z": 1.5}\n{"epoch": 6, "kl_')
    assert read_metrics(folder / "metrics.jsonl")[-1] == {"epoch": 5, "step": 20, "kl_z": 1.0}
    assert "5 of 4" in run_report.write_page(folder).read_text()


def test_names_from_outside_are_text_on_the_page(tmp_path):
    evil = "<script>alert(1)</script>"
    folder = tmp_path / "a<b>&"
    config = tiny_config(epochs=1)
    config = config.model_copy(update={"about": evil, "data": config.data.model_copy(update={"name": evil})})
    images = ImageSet(evil, tiny_images().images, tiny_images().labels, (evil, "b"))
    run_with_pictures(folder, config, images)
    text = run_report.write_page(folder).read_text()
    assert Page(text).tags.count("script") == 1
    assert evil not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "<title>a&lt;b&gt;&amp;" in text


def test_a_page_of_many_epochs_shows_the_first_the_last_and_some_between(run, monkeypatch):
    monkeypatch.setattr(run_report, "MAX_EPOCHS", 3)
    assert Page(run_report.write_page(run[0]).read_text()).values("data-epoch") == ["1", "3", "4"]


def test_a_page_of_a_run_that_only_started_says_so(tmp_path):
    train(tiny_run(epochs=1), tmp_path, images=tiny_images())
    assert "Not scored" in run_report.write_page(tmp_path).read_text()


def test_a_page_of_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"config.toml: no such preset or .toml file"):
        run_report.write_page(tmp_path)


def test_tensorboard_holds_pictures_terms_capacity_and_the_kl_of_each_latent(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = tiny_config(pictures="all")
    capacity = {"gamma_z": 10.0, "capacity_z": ((0.0, 0.0), (1.0, 2.0))}
    config = config.model_copy(update={"objective": config.objective.model_copy(update=capacity)})
    run_with_pictures(tmp_path, config, tensorboard=TensorBoard(tmp_path / "tb", every=1))
    events = EventAccumulator(str(tmp_path / "tb"), size_guidance={"images": 0}).Reload()
    assert set(events.Tags()["images"]) == {*KINDS, "real", "scatter"}
    assert [event.step for event in events.Images("sweep")] == [4, 8, 12, 16]
    saved, told = Image.open(tmp_path / "pictures" / "samples" / "0004.png"), events.Images("samples")[-1]
    assert (told.width, told.height) == saved.size
    assert [event.value for event in events.Scalars("weights/capacity_z")][::5] == pytest.approx([0, 2 / 3, 4 / 3, 2])
    assert len(events.Scalars("terms/kl_z")) == 16
    assert {"weights/beta_z", "epoch/kl_of_real/1", "epoch/information_of_bit/2", "epoch/test/neg_elbo", "lr", "terms/kl_b",
            "terms/reconstruction", "terms/information", "terms/consistency"} <= set(events.Tags()["scalars"])
