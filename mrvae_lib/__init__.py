"""MR-VAE: variational autoencoders with a binary code beside a real vector, to train, measure and explore."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mrvae_lib.config import ConfigError, RunConfig, load_config
    from mrvae_lib.data import DataError, load_dataset
    from mrvae_lib.data.imageset import ImageSet, as_floats
    from mrvae_lib.model.vae import MRVAE, Posterior
    from mrvae_lib.pretrained import load_pretrained
    from mrvae_lib.training.checkpoints import load_run
    from mrvae_lib.training.loop import train

__version__ = "0.1.0"
__all__ = [
    "MRVAE",
    "ConfigError",
    "DataError",
    "ImageSet",
    "Posterior",
    "RunConfig",
    "as_floats",
    "load_config",
    "load_dataset",
    "load_pretrained",
    "load_run",
    "train",
]

# Loaded on first use, so that the command line answers before torch is there.
_HOMES = {
    "MRVAE": "model.vae", "Posterior": "model.vae",
    "ConfigError": "config", "RunConfig": "config", "load_config": "config",
    "DataError": "data", "load_dataset": "data",
    "ImageSet": "data.imageset", "as_floats": "data.imageset",
    "load_pretrained": "pretrained",
    "load_run": "training.checkpoints",
    "train": "training.loop",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"mrvae_lib.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mrvae_lib' has no attribute {name!r}")
