"""One run on several processes, as torchrun starts them: each takes its part of every batch, all hold the same state.

Every process computes the loss of the whole batch (`data.shared.whole_batch`), so schedules, information over a pool
and checkpoints know nothing of this, and a run can go on with another number of processes. The first process alone
writes and reports.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn

from mrvae_lib.config import ConfigError
from mrvae_lib.data.shared import SharedGenerator
from mrvae_lib.training.devices import choose_device


def is_first() -> bool:
    """Whether this process writes and reports: the only one, or the first that torchrun started."""
    return not dist.is_torchelastic_launched() or os.environ["RANK"] == "0"


def n_processes() -> int:
    """How many processes share each batch."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def process_group(device: str) -> Iterator[None]:
    """Meet the other processes that torchrun started, if it started us: by NCCL on GPUs, by gloo elsewhere."""
    if not dist.is_torchelastic_launched():
        yield
        return
    cuda = choose_device(device).type == "cuda"
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield
        dist.barrier()  # a process that leaves while another still talks to it may take that one down
    finally:
        dist.destroy_process_group()


def wait_for_all() -> None:
    """Return when every process has come here."""
    if dist.is_initialized():
        dist.barrier()


def shared_noise(device: torch.device, seed: int, batch_size: int) -> torch.Generator:
    """The run's generator: one process's part of the numbers that the whole batch needs.

    Raises:
        ConfigError: the batch cannot be divided evenly.
    """
    if batch_size % n_processes():
        raise ConfigError(f"train.batch_size must be a multiple of the {n_processes()} processes, got {batch_size}")
    if n_processes() == 1:
        return torch.Generator(device).manual_seed(seed)
    generator = SharedGenerator(device)
    generator.part, generator.n_parts = dist.get_rank(), n_processes()
    generator.manual_seed(seed)
    return generator


def own_part(indices: Tensor) -> Tensor:
    """This process's part of a batch."""
    return indices.chunk(n_processes())[dist.get_rank()] if n_processes() > 1 else indices


def add_gradients(model: nn.Module) -> None:
    """Replace each gradient by its sum over processes."""
    if n_processes() == 1:
        return
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, total in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(total.view_as(gradient))


def any_process(said: bool) -> bool:
    """Whether one of the processes says so."""
    if n_processes() == 1:
        return said
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    votes = torch.tensor(float(said), device=device)
    dist.all_reduce(votes)
    return bool(votes)
