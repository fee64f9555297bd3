"""ImageSet: images resident in memory, drawn by index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mrvae_lib.data.packed import PackedImages


@dataclass(frozen=True)
class ImageSet:
    """Images with what is known about them."""

    name: str
    images: Tensor | PackedImages
    """(N, C, H, W) uint8. To look at them, `take` them: they may be packed."""
    labels: Tensor | None = None
    """(N,) int64."""
    label_names: tuple[str, ...] = ()
    factors: Tensor | None = None
    """(N, F) int64: the factors of variation each image was made from."""
    factor_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ValueError(f"{self.name}: images must be uint8 (N, C, H, W), "
                             f"got {self.images.dtype} {tuple(self.images.shape)}")
        for what, values in (("labels", self.labels), ("factors", self.factors)):
            if values is not None and len(values) != len(self.images):
                raise ValueError(f"{self.name}: {len(self.images)} images but {len(values)} {what}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    @property
    def nbytes(self) -> int:
        """Memory that the images take."""
        return self.images.nbytes

    def take(self, places: Tensor | slice = slice(None)) -> Tensor:
        """The images at these places, (len(places), C, H, W) uint8; without any, all of them."""
        images = self.images[places]
        return images if isinstance(images, Tensor) else images.unpacked()

    def floats(self, places: Tensor | slice = slice(None)) -> Tensor:
        """The images at these places as the model takes them, (len(places), C, H, W) float32 in [0, 1]."""
        return as_floats(self.take(places))

    def subset(self, places: Tensor | slice) -> ImageSet:
        """The images at these places as a set of their own, with their labels and factors."""
        labels, factors = (None if values is None else values[places] for values in (self.labels, self.factors))
        return ImageSet(self.name, self.images[places], labels, self.label_names, factors, self.factor_names)

    def first(self, n: int) -> ImageSet:
        """The first n images, or all of them if there are fewer."""
        return self.subset(slice(n))

    def to(self, device: torch.device | str) -> ImageSet:
        """The same set with its images in that device's memory."""
        return replace(self, images=self.images.to(device))


def as_floats(batch: Tensor) -> Tensor:
    """uint8 images as the model takes them: float32 in [0, 1]."""
    return batch.float().div_(255)


def shuffled_batches(n_images: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Indices of every full batch of one pass in random order; the images left over are dropped from this pass.

    A batch larger than the set is the whole set.
    """
    batch_size = min(batch_size, n_images)
    order = torch.randperm(n_images, generator=generator)
    for start in range(0, n_images - batch_size + 1, batch_size):
        yield order[start : start + batch_size]


def batches_in_order(n_images: int, batch_size: int = 1000) -> Iterator[Tensor]:
    """Indices of every image once, in order; the last batch may be smaller."""
    return iter(torch.arange(n_images).split(batch_size))
