"""Sets in which every combination of a few factors of variation occurs once: addressed by number or by factors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mrvae_lib.data.imageset import ImageSet


@dataclass(frozen=True)
class FactorSet(ImageSet):
    """Images of every combination of factors, once, in order: the last factor changes fastest.

    `factors`, and what is drawn here, are indices into `factor_values`.
    """

    factor_values: tuple[tuple[float | str, ...], ...] = ()
    """For each factor, what its indices stand for."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self) != math.prod(self.factor_sizes):
            raise ValueError(f"{self.name}: {len(self)} images but {math.prod(self.factor_sizes)} combinations of "
                             f"{dict(zip(self.factor_names, self.factor_sizes, strict=True))}")

    @property
    def factor_sizes(self) -> tuple[int, ...]:
        """How many values each factor takes."""
        return tuple(len(values) for values in self.factor_values)

    def index(self, factors: Tensor | np.ndarray | Sequence[Sequence[int]]) -> Tensor:
        """The numbers of the images with these factors, (N,) int64; `self.factors[numbers]` is the way back.

        Raises:
            ValueError: an index out of range, named.
        """
        checked = checked_factors(factors, self.factor_names, self.factor_sizes)
        return factors_to_index(checked, self.factor_sizes)

    def at(self, factors: Tensor | np.ndarray | Sequence[Sequence[int]]) -> Tensor:
        """The images with these factors, (N, C, H, W) uint8. Raises as `index` does."""
        return self.take(self.index(factors))

    def sample_factors(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Factors of n images, each drawn uniformly and independently; (n, F) int64."""
        return torch.stack([torch.randint(size, (n,), generator=generator) for size in self.factor_sizes], dim=1)

    def sample_with_fixed(self, factor: int, n: int, generator: torch.Generator | None = None) -> Tensor:
        """The same, but all n share one value of one factor, itself drawn; what the FactorVAE metric votes on.

        Args:
            factor: its place in `factor_names`.
        """
        if not 0 <= factor < len(self.factor_sizes):
            raise ValueError(f"{self.name}: factor must be 0..{len(self.factor_sizes) - 1} "
                             f"({', '.join(self.factor_names)}), got {factor}")
        drawn = self.sample_factors(n, generator)
        drawn[:, factor] = torch.randint(self.factor_sizes[factor], (1,), generator=generator)
        return drawn

    def first(self, n: int) -> ImageSet:
        """n images from all over the set, always the same ones: neighbours in it differ by a pixel or two."""
        if n >= len(self):
            return self
        return self.subset(torch.randperm(len(self), generator=torch.Generator().manual_seed(0))[:n])


def factors_to_index(factors: Tensor, sizes: Sequence[int]) -> Tensor:
    """The number of each combination, (N,) int64, when the last factor changes fastest.

    Args:
        factors: (N, F) int64, in range.
    """
    index = torch.zeros(len(factors), dtype=torch.int64)
    for values, size in zip(factors.T, sizes, strict=True):
        index = index * size + values
    return index


def index_to_factors(index: Tensor, sizes: Sequence[int]) -> Tensor:
    """The combinations with these numbers, (N, F) int64; undoes `factors_to_index`."""
    columns: list[Tensor] = []
    for size in reversed(sizes):
        columns.insert(0, index % size)
        index = index // size
    return torch.stack(columns, dim=1)


def checked_factors(factors: Tensor | np.ndarray | Sequence[Sequence[int]], names: Sequence[str], sizes: Sequence[int]
                    ) -> Tensor:
    """The factors as (N, F) int64.

    Raises:
        ValueError: another shape, numbers that are not whole, or an index out of range; the message names the factor.
    """
    given = torch.as_tensor(np.asarray(factors))
    if given.ndim != 2 or given.shape[1] != len(sizes) or given.is_floating_point() or given.is_complex():
        raise ValueError(f"factors must be whole numbers (N, {len(sizes)}): {', '.join(names)}; "
                         f"got {given.dtype} {tuple(given.shape)}")
    given = given.to("cpu", torch.int64)
    for name, values, size in zip(names, given.T, sizes, strict=True):
        wrong = values[(values < 0) | (values >= size)]
        if len(wrong):
            raise ValueError(f"factor {name} must be 0..{size - 1}, got {int(wrong[0])}")
    return given
