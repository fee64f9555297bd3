"""Black-and-white images at one bit a pixel: an eighth of the memory, unpacked a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PackedImages:
    """Stands where an `ImageSet` has its tensor of images. Indexing the first dimension keeps it packed."""

    packed: Tensor
    """(N, C, H, W / 8) uint8; the leftmost pixel is the highest bit, as in `np.packbits`."""

    @property
    def dtype(self) -> torch.dtype:
        return torch.uint8

    @property
    def ndim(self) -> int:
        return self.packed.ndim

    @property
    def shape(self) -> torch.Size:
        """(N, C, H, W), in pixels."""
        return torch.Size((*self.packed.shape[:-1], 8 * self.packed.shape[-1]))

    @property
    def nbytes(self) -> int:
        """Of memory."""
        return self.packed.nbytes

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, places: Tensor | slice) -> PackedImages:
        return PackedImages(self.packed[places])

    def to(self, device: torch.device | str) -> PackedImages:
        """The same images in that device's memory."""
        return PackedImages(self.packed.to(device))

    def unpacked(self) -> Tensor:
        """(N, C, H, W) uint8, each pixel 0 or 255."""
        shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=self.packed.device)
        bits = self.packed[..., None].bitwise_right_shift(shifts).bitwise_and_(1)
        return bits.mul_(255).reshape(self.shape)
