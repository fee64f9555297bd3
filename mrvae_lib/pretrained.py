"""The models that come with the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.checkpoints import CheckpointError, load_model, load_run


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


def open_model(source: str) -> MRVAE:
    """The scored model of a run's folder, or a shipped one by its name.

    Raises:
        CheckpointError: neither, or a run that is not finished.
    """
    if Path(source).is_dir():
        model = load_run(source)
    elif source in pretrained_names():
        model = load_pretrained(source)
    else:
        shipped = ", ".join(pretrained_names())
        raise CheckpointError(f"{source}: no such run folder or shipped model; shipped: {shipped}")
    if "scores" not in model.card:
        raise CheckpointError(f"{source}: this run is not finished; go on with it: mrvae train {source}")
    return model


def pretrained_folder() -> Path:
    """Where they lie: one model folder each."""
    return Path(str(resources.files("mrvae_lib") / "weights"))
