"""Shared by all tests: real data where it is, small models, quiet threads."""

from __future__ import annotations

import subprocess
import venv
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch

from mrvae_lib.config import ModelConfig, RunConfig, load_config
from mrvae_lib.data import ImageSet
from mrvae_lib.data.real_sets import data_folder
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.loop import Callback

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", type=Path, default=None, help="folder that gets pictures of what the browser shows")


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def real_file(*parts: str) -> Path:
    """A file of the data folder; where it is not there the test is skipped, and nothing is ever downloaded."""
    if not (path := data_folder().joinpath(*parts)).is_file():
        pytest.skip(f"{path.name} is not in the data folder (MRVAE_DATA)")
    return path


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    """What a test drew is closed after it."""
    yield
    plt.close("all")


@pytest.fixture
def mnist_folder() -> Path:
    """The data folder, where it holds MNIST's own files."""
    return real_file("MNIST", "raw", "t10k-images-idx3-ubyte.gz").parents[2]


def tiny_model(n_reals: int = 2, n_bits: int = 3, *, shape: tuple[int, int, int] = (1, 8, 8), network: str = "mlp",
               likelihood: str = "bernoulli", posed: bool = False, seed: int = 0) -> MRVAE:
    """A model small enough to enumerate."""
    hidden = (16,) if network == "mlp" else (4, 16)
    config = ModelConfig(n_reals=n_reals, n_bits=n_bits, network=network, hidden=hidden, likelihood=likelihood,
                         frame="round" if posed else "image", posed=posed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return MRVAE(shape, config).eval()


def tiny_images(n: int = 64, *, shape: tuple[int, int, int] = (1, 8, 8), seed: int = 0) -> ImageSet:
    """Random images with two labels: bright in the upper or in the lower half."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    images = torch.randint(0, 60, (n, *shape), generator=generator, dtype=torch.uint8)
    half = shape[1] // 2
    images[labels == 0, :, :half] += 180
    images[labels == 1, :, half:] += 180
    return ImageSet("tiny", images, labels, ("upper", "lower"))


def tiny_run(**train: object) -> RunConfig:
    """A configuration that trains on `tiny_images` in well under a second; a key without a section is one of `train`."""
    settings = {"epochs": 4, "batch_size": 16, "checkpoint_every": 1, "precision": "fp32", "device": "cpu", **train}
    overrides = [f"{key if '.' in key else f'train.{key}'}={value}" for key, value in settings.items()]
    # tiny_images differ by place, which no frame shows.
    tiny = ["model.hidden=[16]", "model.n_reals=2", "model.n_bits=3", "model.frame=image", "objective.lambda_aggregate=0"]
    return load_config("digits", overrides=[*tiny, *overrides])


class At(Callback):
    """Does something with the run after one of its steps."""

    def __init__(self, step, act):
        self.step, self.act = step, act

    def on_step(self, run, terms, weights):
        if run.step == self.step:
            self.act(run)


class History(Callback):
    """Keeps the metrics of every epoch."""

    def __init__(self):
        self.rows = []

    def on_epoch(self, run, metrics):
        self.rows.append(metrics)


class Keep(Callback):
    """Keeps a number of every step: what `value` makes of the run, the terms and the weights."""

    def __init__(self, value):
        self.value, self.values = value, []

    def on_step(self, *told):
        self.values.append(float(self.value(*told)))


class Page(HTMLParser):
    """The elements of a page as a browser would see them, and the text of its scripts and title."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.last = [], [], {}, ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        self.last = dict(attributes).get("id", tag)

    def handle_endtag(self, tag):
        self.last = ""

    def handle_data(self, data):
        self.texts[self.last] = self.texts.get(self.last, "") + data

    def values(self, name):
        """An attribute's, of all elements that have it."""
        return [value for attribute, value in self.attributes if attribute == name]


def clean_environment(folder: Path, *, borrow: str) -> Path:
    """A new virtual environment whose own packages come first and that borrows the rest (torch) from another.

    Returns:
        Its Python.
    """
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    purelib = subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
                             capture_output=True, text=True, check=True).stdout.strip()
    (Path(purelib) / "borrowed.pth").write_text(borrow + "\n")
    return python
