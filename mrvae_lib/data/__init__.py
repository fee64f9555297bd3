"""Images: where they come from, and how they reach the model."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mrvae_lib.config import DataConfig, RunConfig, parse_config
from mrvae_lib.data.faces import load_faces
from mrvae_lib.data.image_set import FactorSet, ImageSet
from mrvae_lib.data.own_images import load_given, load_own
from mrvae_lib.data.real_sets import load_digits, load_torchvision
from mrvae_lib.data.sprites import load_dsprites
from mrvae_lib.data.xys import load_xys
from mrvae_lib.errors import ConfigError, DataError

__all__ = ["DATASETS", "DataSource", "FactorSet", "ImageSet", "load_dataset", "settled"]


class DataSource(NamedTuple):
    """How a data set is loaded, and what is known about it before."""

    load: Callable[[str, str], ImageSet]
    """Takes the set's name, and `train` or `test`."""
    shape: tuple[int, int, int]
    """(C, H, W) of an image."""
    licence: str = ""
    """Who made it, and its licence, as in NOTICE; empty for what this library draws itself."""


DATASETS = {
    "digits": DataSource(
        load_digits, (1, 32, 32), "E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998. CC BY 4.0."),
    "mnist": DataSource(load_torchvision, (1, 28, 28), "Y. LeCun, C. Cortes and C. J. C. Burges, 1998. CC BY-SA 3.0."),
    "fashion-mnist": DataSource(
        load_torchvision, (1, 28, 28), "H. Xiao, K. Rasul and R. Vollgraf, Zalando SE, 2017. MIT licence."),
    "cifar10": DataSource(
        load_torchvision, (3, 32, 32),
        "A. Krizhevsky, V. Nair and G. Hinton, 2009. No licence is stated; the authors ask to be cited."),
    "dsprites": DataSource(
        lambda name, split: load_dsprites(), (1, 64, 64),  # one set: both splits are the same images in memory
        "L. Matthey, I. Higgins, D. Hassabis and A. Lerchner, DeepMind, 2017. zlib/libpng licence."),
    "xys": DataSource(load_xys, (3, 64, 64)),
    "xys-full": DataSource(load_xys, (1, 64, 64)),
    "xys-256": DataSource(load_xys, (3, 256, 256)),
    "faces": DataSource(load_faces, (1, 32, 32)),
    "faces-colour": DataSource(load_faces, (3, 32, 32)),
}
"""Every data set that has a name."""


def load_dataset(name: Any, split: Literal["train", "test"] = "train", **settings: Any) -> ImageSet:
    """One split of a data set, whole, in memory.

    Args:
        name: `digits`, `dsprites`, `xys`, `xys-full`, `xys-256`, `faces`, `faces-colour` (no network needed);
            `mnist`, `fashion-mnist`, `cifar10`; your own images: the path of a folder or of an `.npz` or `.npy` file
            (see `own_images.load_own`); the `data` table of a configuration, with all its settings; or images that are
            there already, as a torch `Dataset`, a list or a tensor (see `own_images.load_given`).
        split: `train` or `test`; images that are there already are taken whole.
        settings: for your own images: `size`, `fit` ("crop", "pad", "stretch"), `channels` ("auto", "grey", "colour")
            and `invert`, as in the `data` table of a configuration.
    Raises:
        DataError: a name or split that does not exist, or files that are missing, damaged or out of reach.
        ConfigError: a setting that does not exist, or one for a data set that has a name.
    """
    has_name = isinstance(name, (str, os.PathLike))
    given = name.model_dump() if isinstance(name, DataConfig) else {"name": os.fspath(name) if has_name else "images"}
    look = parse_config({"data": {**given, **settings}}, origin="load_dataset").data
    if not has_name and not isinstance(name, DataConfig):
        return load_given(name, look)
    if split not in ("train", "test"):
        raise DataError(f"{look.name}: split must be train or test, got {split!r}")
    if look.name in DATASETS:
        if look.model_copy(update={"limit": None}) != DataConfig(name=look.name):
            raise ConfigError(f"{look.name}: data.size, fit, channels and invert are for your own images")
        return DATASETS[look.name].load(look.name, split)
    if not Path(look.name).exists():
        raise DataError(f"no data set {look.name!r}; there are {', '.join(DATASETS)}, or a folder, .npz or .npy file")
    return load_own(look, split)


def settled(config: RunConfig) -> RunConfig:
    """The configuration with the path of its images from the root, so that they are found from any folder."""
    path = Path(config.data.name)
    if config.data.name in DATASETS or not path.exists():
        return config
    return config.model_copy(update={"data": config.data.model_copy(update={"name": str(path.absolute())})})
