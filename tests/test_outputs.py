"""What a run leaves behind: pictures of the stated epochs at the stated places, the page, and the trackers' files."""

import base64
import json
import re
import sys
import types
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from mrvae_lib.analysis import page as report_page
from mrvae_lib.analysis.curves import bar_chart, line_chart, nice_ticks
from mrvae_lib.analysis.epochs import (
    N_HISTORY,
    PAIRS_ACROSS,
    EpochPictures,
    HeldOut,
    Probe,
    class_sheet,
    draw_pictures,
    picture_epochs,
    sweep_sheet,
)
from mrvae_lib.analysis.evaluation import encode_set
from mrvae_lib.analysis.page import write_page
from mrvae_lib.analysis.scatter import plot_scatter
from mrvae_lib.analysis.sheets import Sheet, side_by_side
from mrvae_lib.analysis.traversals import data_sweep
from mrvae_lib.config import ConfigError, TrainConfig
from mrvae_lib.data import ImageSet
from mrvae_lib.training.callbacks import JsonLines, TensorBoard, Tracker, WandB, make_trackers
from mrvae_lib.training.loop import Callback, train
from tests.conftest import tiny_images, tiny_model, tiny_run

KINDS = ["reconstructions", "sweep", "samples", "classes", "history"]


def tiny_config(network="mlp", **settings):
    config = tiny_run(**settings)
    hidden = (16,) if network == "mlp" else (4, 8, 16)
    return config.model_copy(update={"model": config.model.model_copy(update={"network": network, "hidden": hidden})})


def run_with_pictures(folder, config, images=None, trackers=()):
    images = images or tiny_images()
    callbacks = [HeldOut(images), JsonLines(folder / "metrics.jsonl"), *trackers,
                 EpochPictures(folder / "pictures", images, trackers)]
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


def test_the_last_reconstructions_on_disk_are_the_models_beside_the_originals(run):
    folder, model = run
    probe = Probe.of(model, tiny_images())
    saved = np.asarray(Image.open(folder / "pictures" / "reconstructions" / "0004.png").convert("RGB")).astype(int)
    left = Sheet(probe.x.split(PAIRS_ACROSS), "original")
    offset = side_by_side(left.draw()[:1], left.draw()[:1]).shape[1] - left.draw().shape[1]
    with torch.inference_mode():
        made = model.reconstruct(probe.x)
    for n in (0, 5, 6, 35):
        x0, y0, x1, y1 = left.box(n // PAIRS_ACROSS, n % PAIRS_ACROSS)
        for pictures, shift in ((probe.x, 0), (made, offset)):
            tile = saved[y0:y1, x0 + shift : x1 + shift, 0][3::7, 3::7]
            np.testing.assert_allclose(tile, pictures[n, 0] * 255, atol=1)


def test_the_history_holds_the_originals_and_one_row_for_each_epoch(run):
    folder, _ = run
    rows = [np.asarray(Image.open(path).convert("L")) for path in sorted((folder / "pictures" / "history").iterdir())]
    whole = np.asarray(Image.open(folder / "pictures" / "history.png").convert("L"))
    assert len(rows) == 5
    np.testing.assert_array_equal(whole, np.concatenate(rows))
    tile = Sheet([torch.rand(N_HISTORY, 1, 8, 8)], row_names=["epoch 1"], name_width=68).box(0, N_HISTORY - 1)
    assert tile[2] <= whole.shape[1]


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
    class StopAtStep9(Callback):
        def on_step(self, run, terms, weights):
            if run.step == 9:
                run.stop.set()

    config = tiny_config(pictures="all")
    pictures = EpochPictures(tmp_path / "pictures", tiny_images())
    train(config, tmp_path, images=tiny_images(), callbacks=[StopAtStep9(), pictures])
    assert len(list((tmp_path / "pictures" / "sweep").iterdir())) == 2
    run_with_pictures(tmp_path, config)
    assert len(list((tmp_path / "pictures" / "sweep").iterdir())) == 4


def test_samples_are_the_same_draws_in_every_epoch():
    model = tiny_model()
    first, second = (draw_pictures(model, Probe.of(model, tiny_images()), "epoch 1")["samples"] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("n_reals", "n_bits"), [(3, 0), (0, 2), (40, 20)])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 160, 130)])
def test_any_model_can_be_drawn_and_stays_in_its_mode(n_reals, n_bits, shape):
    model = tiny_model(n_reals, n_bits, shape=shape).train()
    images = ImageSet("plain", tiny_images(40, shape=shape).images)
    pictures = draw_pictures(model, Probe.of(model, images), "epoch 1")
    assert model.training
    assert sorted(pictures) == sorted({*KINDS} - {"classes"})
    assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in pictures.values())


def test_the_sweep_runs_over_the_datas_own_quantiles_and_prints_its_values():
    mu = torch.linspace(-2, 2, 401)[:, None] * torch.tensor([1.0, 10.0])
    torch.testing.assert_close(data_sweep(mu, 3), torch.tensor([[-1.9, 0, 1.9], [-19, 0, 19]]), atol=1e-3, rtol=0)
    model = tiny_model()
    probe = Probe.of(model, tiny_images())
    with torch.inference_mode():
        values = data_sweep(model.encode(probe.measured.images.float() / 255).mu)
        sheet = sweep_sheet(model, probe, "epoch 1")
    assert sheet.captions[1] == [f"{value:+.2f}" for value in values[1].tolist()]
    assert sheet.captions[2] == ["b0 off", "b0 on", "b1 off", "b1 on", "b2 off", "b2 on"]


def test_colours_stay_where_they_are():
    colours = torch.eye(3)[:, :, None, None].expand(3, 3, 8, 8)
    sheet = Sheet([colours], "red, green, blue")
    picture = sheet.draw()
    for channel in range(3):
        x0, y0, x1, y1 = sheet.box(0, channel)
        assert picture[y0:y1, x0:x1].reshape(-1, 3).tolist() == [[255 * (c == channel) for c in range(3)]] * (56 * 56)


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_the_scatter_of_10_000_images_has_a_point_for_each_and_a_legend_entry_per_class(network):
    labels, names = torch.arange(10_000) % 10, [f"digit {value}" for value in range(10)]
    images = tiny_images(10_000)
    mu = encode_set(tiny_model(5, network=network), images).mu
    (ax,) = plot_scatter(mu, labels, names).axes
    assert sum(len(points.get_offsets()) for points in ax.collections) == 10_000
    assert [text.get_text() for text in ax.get_legend().get_texts()] == names


def test_each_class_is_shown_by_an_image_of_its_own_above_its_reconstruction():
    images, model = tiny_images(), tiny_model()
    probe = Probe.of(model, ImageSet("named", images.images, images.labels, ("upper half", "lower")))
    with torch.inference_mode():
        sheet = class_sheet(model, probe, "epoch 1")
    assert sheet.captions[1] == ["upper\nhalf", "lower"]
    upper, lower = sheet.rows[0]
    assert upper[0, :4].mean() > 0.5 > upper[0, 4:].mean()
    assert lower[0, 4:].mean() > 0.5 > lower[0, :4].mean()
    torch.testing.assert_close(sheet.rows[1], model.reconstruct(sheet.rows[0]).detach())


def test_samples_are_10_rows_of_10_draws():
    model = tiny_model()
    probe = Probe.of(model, tiny_images())
    picture = draw_pictures(model, probe, "epoch 1")["samples"]
    sheet = Sheet(model.decode(probe.z, probe.b).detach().split(10), "")
    assert [len(row) for row in sheet.rows] == [10] * 10
    x0, y0, x1, y1 = Sheet(sheet.rows, "samples").box(9, 9)
    np.testing.assert_allclose(picture[y0:y1, x0:x1, 0][3::7, 3::7], sheet.rows[9][9, 0] * 255, atol=1)


def test_the_scatter_says_how_far_labels_and_places_agree():
    labels = torch.arange(200) % 2
    apart = torch.randn(200, 3, generator=torch.Generator().manual_seed(0)) + 20 * labels[:, None]
    assert "in 100%" in plot_scatter(apart, labels).axes[0].get_title(loc="left")
    shuffled = labels[torch.randperm(200, generator=torch.Generator().manual_seed(1))]
    share = re.search(r"in (\d+)%", plot_scatter(apart, shuffled).axes[0].get_title(loc="left"))[1]
    assert 35 < int(share) < 65


@pytest.mark.parametrize("n_reals", [1, 2])
def test_a_scatter_of_one_or_two_reals_needs_no_axes_of_its_own(n_reals):
    mu = torch.randn(20, n_reals, generator=torch.Generator().manual_seed(0))
    (points,) = plot_scatter(mu).axes[0].collections
    if n_reals == 2:
        np.testing.assert_allclose(points.get_offsets(), mu)


def test_held_out_metrics_are_the_elbo_on_hard_bits(run):
    rows = [json.loads(line) for line in (run[0] / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 4
    for row in rows:
        parts = row["test/reconstruction"] + row["test/kl_z"] + row["test/kl_b"]
        assert row["test/neg_elbo"] == pytest.approx(parts)
    with torch.inference_mode():
        posterior = run[1].encode(tiny_images().images.float() / 255)
    assert rows[-1]["test/kl_z"] == pytest.approx(float(posterior.kl_reals().sum(dim=1).mean()), rel=1e-4)


class Page(HTMLParser):
    """What a browser would find in the page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], text
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_page_carries_every_picture_and_asks_the_network_for_nothing(run):
    text = write_page(run[0]).read_text()
    page = Page(text)
    sources = [attrs["src"] for tag, attrs in page.tags if "src" in attrs]
    assert len(sources) == 4 * (len(KINDS) - 1) + 2
    for source in sources:
        assert base64.b64decode(source.removeprefix("data:image/png;base64,"))[:4] == b"\x89PNG"
    assert not re.search(r"https?:|url\(|@import|<link", text.replace("http://www.w3.org", ""))
    assert [attrs["data-epoch"] for _, attrs in page.tags if "data-epoch" in attrs] == ["1", "2", "3", "4"]


def test_the_pages_curves_show_training_and_test_images_for_the_loss_its_parts_and_the_kl(run):
    loss, carried = write_page(run[0]).read_text().split('<svg role="img"')[1:3]
    assert (loss.count("<polyline"), loss.count("stroke-dasharray")) == (4, 2)
    assert all(name in loss for name in ("−ELBO", "reconstruction", "dashed: test images"))
    assert (carried.count("<polyline"), carried.count("stroke-dasharray")) == (5, 2)  # information has no twin
    assert all(name in carried for name in ("KL of z", "KL of b", "dashed: test images"))


def test_names_from_outside_are_text_on_the_page(tmp_path):
    evil = "<script>alert(1)</script>"
    folder = tmp_path / "a<b>&"
    config = tiny_config(epochs=1)
    config = config.model_copy(update={"about": evil, "data": config.data.model_copy(update={"name": evil})})
    images = ImageSet(evil, tiny_images().images, tiny_images().labels, (evil, "b"))
    run_with_pictures(folder, config, images)
    page = Page(write_page(folder).read_text())
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert evil not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<title>a&lt;b&gt;&amp;" in page.text


def test_a_page_of_many_epochs_shows_the_first_the_last_and_some_between(run, monkeypatch):
    monkeypatch.setattr(report_page, "MAX_EPOCHS", 3)
    page = Page(write_page(run[0]).read_text())
    assert [attrs["data-epoch"] for _, attrs in page.tags if "data-epoch" in attrs] == ["1", "3", "4"]


def test_a_page_of_a_run_that_only_started_says_so(tmp_path):
    train(tiny_run(epochs=1), tmp_path, images=tiny_images())
    assert "Not scored" in write_page(tmp_path).read_text()


def test_a_page_of_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"config.toml: cannot be read"):
        write_page(tmp_path)


def test_charts_leave_out_what_is_not_finite_and_escape_names():
    svg = line_chart({"<b>": [(0, 1), (1, float("nan")), (2, 3)], "gone": [(0, float("inf"))]}, title="a & b")
    assert "<b>" not in svg
    assert "a &amp; b" in svg
    assert len(re.findall(r"<polyline", svg)) == 1
    assert "nan" not in svg
    assert "inf" not in svg
    assert "width:100.0%" in bar_chart({"z0": 2.0}, title="KL", most=2.0)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (3, 3), (0, 0), (-5, 470), (1e-6, 2e-6), (99.9, 100.1)])
def test_ticks_are_few_round_and_span_the_data(low, high):
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 8
    assert ticks[0] <= low
    assert ticks[-1] >= high


def test_tensorboard_holds_pictures_terms_capacity_and_the_kl_of_each_latent(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = tiny_config(pictures="all")
    capacity = {"gamma_z": 10.0, "capacity_z": ((0.0, 0.0), (1.0, 2.0))}
    config = config.model_copy(update={"objective": config.objective.model_copy(update=capacity)})
    run_with_pictures(tmp_path, config, trackers=[TensorBoard(tmp_path / "tb", every=1)])
    events = EventAccumulator(str(tmp_path / "tb"), size_guidance={"images": 0}).Reload()
    assert set(events.Tags()["images"]) == {*KINDS, "real", "scatter"}
    assert [event.step for event in events.Images("sweep")] == [4, 8, 12, 16]
    saved = (tmp_path / "pictures" / "samples" / "0004.png")
    with Image.open(saved) as image:
        assert (events.Images("samples")[-1].width, events.Images("samples")[-1].height) == image.size
    assert [event.value for event in events.Scalars("weights/capacity_z")][::5] == pytest.approx([0, 2 / 3, 4 / 3, 2])
    assert {"weights/beta_z", "epoch/kl_of_real/0", "epoch/information_of_bit/2", "epoch/test/neg_elbo",
            "terms/reconstruction"} <= set(events.Tags()["scalars"])


class FakeSession:
    """Stands in for a wandb run: keeps what it is told."""

    def __init__(self, **settings):
        self.settings, self.logged, self.finished = settings, [], False

    def log(self, values, step):
        self.logged.append((step, values))

    def finish(self):
        self.finished = True


def test_wandb_as_this_stand_in_sees_it_is_offline_and_gets_scalars_and_pictures(tmp_path, monkeypatch):
    sessions = []

    def init(**settings):
        sessions.append(FakeSession(**settings))
        return sessions[-1]

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init, Image=lambda picture: picture.shape))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run_with_pictures(tmp_path, tiny_config(), trackers=make_trackers(["wandb"], tmp_path))
    (session,) = sessions
    assert session.settings["mode"] == "offline"
    assert session.settings["config"]["train"]["epochs"] == 4
    assert session.finished
    steps, names = [step for step, _ in session.logged], {name for _, values in session.logged for name in values}
    assert steps == sorted(steps)
    assert {"sweep", "scatter", "epoch/test/neg_elbo", "epoch/kl_of_real/1"} <= names


def test_the_real_wandb_writes_a_run_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="the optional package wandb is not installed")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run_with_pictures(tmp_path, tiny_config(epochs=1), trackers=[WandB(tmp_path, every=1)])
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


def test_asking_for_wandb_without_its_package_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match="needs its package: pip install wandb"):
        make_trackers(["wandb"], tmp_path)


def test_an_unknown_tracker_names_those_there_are(tmp_path):
    with pytest.raises(ConfigError, match=r"--track neptune: no such tracker; there is wandb .*ended"):
        make_trackers(["neptune"], tmp_path)


def test_trackers_are_one_interface():
    assert issubclass(TensorBoard, Tracker)
    assert issubclass(WandB, Tracker)
