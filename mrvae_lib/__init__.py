"""MR-VAE: variational autoencoders with a binary code beside a real vector, to train, measure and explore."""

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
