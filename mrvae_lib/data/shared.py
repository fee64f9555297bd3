"""A batch that several processes share: random numbers for all of it, of which each process uses its part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Batch = TypeVar("Batch")


class SharedGenerator(torch.Generator):
    """A generator for process `part` of `n_parts`: all hold the same state and draw the same numbers for the batch."""

    part: int = 0
    n_parts: int = 1


def draw(sample: Callable[..., Tensor], shape: Sequence[int], generator: torch.Generator | None, *, dim: int = 0,
         **options: Any) -> Tensor:
    """`sample(shape)`, or this process's part of what one process would draw for the whole batch.

    Args:
        sample: torch.rand, torch.randn or another that takes a shape, a generator and options.
        dim: which dimension of the shape counts the images.
    """
    if not isinstance(generator, SharedGenerator):
        return sample(shape, generator=generator, **options)
    whole = list(shape)
    whole[dim] *= generator.n_parts
    return sample(whole, generator=generator, **options).chunk(generator.n_parts, dim)[generator.part]


def draw_bernoulli(probs: Tensor, generator: torch.Generator | None) -> Tensor:
    """Coins of these probabilities (B, ...), as `draw` draws them."""
    if not isinstance(generator, SharedGenerator):
        return torch.bernoulli(probs, generator=generator)
    whole = probs.new_full((generator.n_parts * len(probs), *probs.shape[1:]), 0.5)
    whole.chunk(generator.n_parts)[generator.part].copy_(probs)
    return torch.bernoulli(whole, generator=generator).chunk(generator.n_parts)[generator.part]


def whole_batch(part: Batch) -> Batch:
    """What each process knows of its images, (B, ...) tensors alone or in tuples and dataclasses, for all images.

    Every process then computes the same loss from it. Gradients flow back into a process's own part only, so those of
    the weights add up over processes to the gradient that one process would have.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return part
    return _gathered(part)


def _gathered(part: Any) -> Any:
    if isinstance(part, Tensor):
        return _Gather.apply(part)
    if isinstance(part, tuple):
        return tuple(map(_gathered, part))
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{field.name: _gathered(getattr(part, field.name)) for field in fields(part)})
    return part


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        parts = [torch.empty_like(part, memory_format=torch.contiguous_format) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, part.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0].chunk(dist.get_world_size())[dist.get_rank()]
