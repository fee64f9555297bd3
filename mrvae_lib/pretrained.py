"""The models that come with the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.checkpoints import CheckpointError, load_model


def pretrained_names() -> list[str]:
    """The shipped models, in alphabetical order."""
    return sorted(path.parent.name for path in pretrained_folder().glob("*/config.json"))


def load_pretrained(name: str) -> MRVAE:
    """A shipped model, in evaluation mode, without a network.

    Its `card` tells how it was trained and what it scores; its `examples` are encoded test images.

    Raises:
        CheckpointError: no such model; lists those that are there.
    """
    if name not in pretrained_names():
        raise CheckpointError(f"no shipped model {name!r}; there are {', '.join(pretrained_names())}")
    return load_model(pretrained_folder() / name)


def pretrained_folder() -> Path:
    """Where they lie: one model folder each."""
    return Path(str(resources.files("mrvae_lib") / "weights"))
