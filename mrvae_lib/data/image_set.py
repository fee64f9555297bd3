"""ImageSet and FactorSet: images that stay in memory and are drawn by index."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mrvae_lib.errors import DataError

MAX_CLASSES = 1000
"""More different labels than this are taken for the numbers of images, not for classes."""


@dataclass(frozen=True)
class ImageSet:
    """Images with what is known about them."""

    name: str
    images: Tensor
    """(N, C, H, W) uint8, or (N, C, H, W / 8) if packed. `take` gives them unpacked."""
    labels: Tensor | None = None
    """(N,) int64."""
    label_names: tuple[str, ...] = ()
    factors: Tensor | None = None
    """(N, F) int64: the factors of variation each image was made from."""
    factor_names: tuple[str, ...] = ()
    packed: bool = False
    """Whether each byte of `images` holds 8 black-or-white pixels of a row, packed as `np.packbits` does."""

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise DataError(f"{self.name}: images must be uint8 (N, C, H, W), "
                            f"got {self.images.dtype} {tuple(self.images.shape)}")
        for what, values in (("labels", self.labels), ("factors", self.factors)):
            if values is not None and len(values) != len(self.images):
                raise DataError(f"{self.name}: {len(self.images)} images but {len(values)} {what}")
        if self.labels is not None and len(self):
            low, high = int(self.labels.min()), int(self.labels.max())
            if low < 0 or high >= max(MAX_CLASSES, len(self.label_names)):
                raise DataError(f"{self.name}: labels must be 0..{MAX_CLASSES - 1}, got {low}..{high}; "
                                f"labels.unique(return_inverse=True)[1] numbers them anew")
            if self.label_names:
                self._complete("label_names", high + 1, "{}")
        if self.factors is not None:
            self._complete("factor_names", self.factors.shape[1], "factor{}")

    def _complete(self, what: str, n: int, pattern: str) -> None:
        """Give what has no name its number for one."""
        names = getattr(self, what)
        object.__setattr__(self, what, (*names, *map(pattern.format, range(len(names), n))))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        channels, height, width = self.images.shape[1:]
        return channels, height, 8 * width if self.packed else width

    def take(self, places: Tensor | slice = slice(None)) -> Tensor:
        """The images at these places, (len(places), C, H, W) uint8; without any, all of them."""
        images = self.images[places]
        return unpacked(images) if self.packed else images

    def floats(self, places: Tensor | slice = slice(None)) -> Tensor:
        """The images at these places as the model takes them, (len(places), C, H, W) float32 in [0, 1]."""
        return self.take(places).float().div_(255)

    def subset(self, places: Tensor | slice) -> "ImageSet":
        """The images at these places as a set of their own, with their labels and factors."""
        labels, factors = (None if values is None else values[places] for values in (self.labels, self.factors))
        return ImageSet(self.name, self.images[places], labels, self.label_names, factors, self.factor_names,
                        self.packed)

    def first(self, n: int) -> "ImageSet":
        """The first n images, or all of them if there are fewer."""
        return self.subset(slice(n))

    @property
    def digest(self) -> str:
        """Tells this set from another one, by its number and up to a thousand of its images."""
        few = self.images[:: -(-len(self) // 1000) or 1].cpu().contiguous().numpy()
        return f"{len(self)} images {hashlib.sha256(few.tobytes()).hexdigest()[:16]}"

    def to(self, device: torch.device | str) -> "ImageSet":
        """The same set with its images in that device's memory."""
        return replace(self, images=self.images.to(device))


@dataclass(frozen=True)
class FactorSet(ImageSet):
    """Images of every combination of factors, once, in order: the last factor changes fastest."""

    factor_sizes: tuple[int, ...] = ()
    """How many values each factor takes."""

    def index(self, factors: Tensor | np.ndarray | Sequence[Sequence[int]]) -> Tensor:
        """The numbers of the images with these factors, (N,) int64; `self.factors[numbers]` is the way back.

        Raises:
            ValueError: another shape, numbers that are not whole, or an index out of range, with its factor's name.
        """
        given, names, sizes = np.asarray(factors), self.factor_names, self.factor_sizes
        if given.ndim != 2 or given.shape[1] != len(sizes) or given.dtype.kind not in "iu":
            raise ValueError(f"factors must be whole numbers (N, {len(sizes)}): {', '.join(names)}; "
                             f"got {given.dtype} {given.shape}")
        for name, values, size in zip(names, given.T, sizes, strict=True):
            wrong = values[(values < 0) | (values >= size)]
            if len(wrong):
                raise ValueError(f"factor {name} must be 0..{size - 1}, got {wrong[0]}")
        return torch.from_numpy(np.ravel_multi_index(tuple(given.T.astype(np.int64)), sizes))

    def at(self, factors: Tensor | np.ndarray | Sequence[Sequence[int]]) -> Tensor:
        """The images with these factors, (N, C, H, W) uint8. Raises as `index` does."""
        return self.take(self.index(factors))

    def first(self, n: int) -> ImageSet:
        """n images from all over the set, always the same ones: neighbours in it differ by a pixel or two."""
        if n >= len(self):
            return self
        return self.subset(torch.randperm(len(self), generator=torch.Generator().manual_seed(0))[:n])


def unpacked(images: Tensor) -> Tensor:
    """(N, C, H, W / 8) uint8 as (N, C, H, W) uint8, each pixel 0 or 255; the highest bit is the leftmost pixel."""
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=images.device)
    bits = images[..., None].bitwise_right_shift(shifts).bitwise_and_(1)
    return bits.mul_(255).flatten(-2)


def shuffled_batches(n_images: int, batch_size: int, generator: torch.Generator, device: torch.device | str = "cpu"
                     ) -> tuple[Tensor, ...]:
    """Indices of every full batch of one pass in random order; the images left over are dropped from this pass.

    A batch larger than the set is the whole set. The order is drawn on the CPU, so that it is the same everywhere, and
    goes to the device as a whole, because a copy for each batch would wait for the device each time.
    """
    batch_size = min(batch_size, n_images)
    order = torch.randperm(n_images, generator=generator).to(device)
    return order[: n_images - n_images % batch_size].split(batch_size)


def batches_in_order(n_images: int, batch_size: int = 1000) -> tuple[Tensor, ...]:
    """Indices of every image once, in order; the last batch may be smaller."""
    return torch.arange(n_images).split(batch_size)


def classes_of(values: np.ndarray, names: tuple[str, ...] = ()) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Whole numbers from 0 as they are; other numbers and texts, one class for each that there is, in order.

    Raises:
        ValueError: another shape or kind, or so many different ones that they are no classes.
    """
    if values.ndim == 2 and values.shape[1] > 1 and (values != 0).sum(axis=1).max() <= 1:
        values = values.argmax(axis=1)  # one of each row is on
    elif values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "biufSU":
        raise ValueError(f"{values.dtype} of shape {values.shape}, expected (N,) numbers or texts")
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    elif values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("some are not finite")
    elif values.dtype.kind == "b" or (values.dtype.kind == "f" and (values == np.rint(values)).all()
                                      and abs(values).max() < 2**53):
        values = values.astype(np.int64)
    numbers = values.dtype.kind in "iu"
    if numbers and values.min() >= 0 and values.max() < (len(names) or (MAX_CLASSES if values.min() == 0 else 0)):
        return torch.from_numpy(values.astype(np.int64)), names
    kinds, places = np.unique(values, return_inverse=True)
    if len(kinds) > MAX_CLASSES:
        raise ValueError(f"{len(kinds):,} different ones, at most {MAX_CLASSES:,} are taken for classes")
    if not numbers or len(names) != len(kinds):
        names = tuple(names[kind] if numbers and 0 <= kind < len(names) else str(kind) for kind in kinds.tolist())
    return torch.from_numpy(places.astype(np.int64)), names


def label_counts(images: ImageSet) -> str:
    """How many images have each label, by name."""
    if images.labels is None:
        return "none"
    counts = images.labels.bincount(minlength=len(images.label_names)).tolist()
    names = images.label_names or map(str, range(len(counts)))
    return ", ".join(f"{name} {count:,}" for name, count in zip(names, counts, strict=True))
