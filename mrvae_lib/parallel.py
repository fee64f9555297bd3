"""One run on several processes, as torchrun starts them: each takes its part of every batch, all hold the same weights.

Each process runs the networks on its own images, with noise of its own. `gather` then gives every process the
posteriors and the losses per image of the whole batch, and each computes the same total loss from them. Schedules and
information over a pool know nothing of this, and a checkpoint only keeps one state of the noise per process, so a run
can go on with another number of processes. The first process alone writes and reports.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn

SEEDS_APART = 1_000_003
"""Between the seeds of two processes' noise, of which the first has the seed that a single process would have: so far
apart that small seeds of different runs do not meet."""


def is_first() -> bool:
    """Whether this process writes and reports: the only one, or the first that torchrun started."""
    return not dist.is_torchelastic_launched() or os.environ["RANK"] == "0"


def n_processes() -> int:
    """How many processes share each batch."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Meet the other processes that torchrun started, if it started this one.

    GPUs talk by NCCL, processors by gloo. Where there are GPUs, both are there: a word from host to host, such as
    whether to stop, goes by gloo and does not wait for the work of a GPU.
    """
    if not dist.is_torchelastic_launched():
        yield
        return
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    try:
        yield
        dist.barrier()  # a process that leaves while another still talks to it may take that one down
    finally:
        dist.destroy_process_group()


def restore_noise(generator: torch.Generator, states: Tensor) -> None:
    """Go on drawing where a checkpoint stopped.

    A process that the checkpoint does not know keeps its seed; so does a generator on another kind of device.

    Args:
        states: (n, bytes) uint8, of every process then.
    """
    if rank() < len(states) and states.shape[1:] == generator.get_state().shape:
        generator.set_state(states[rank()].cpu())


def own_part(indices: Tensor) -> Tensor:
    """This process's part of a batch."""
    return indices.chunk(n_processes())[rank()]


def gather(part: Tensor) -> Tensor:
    """What each process knows of its images, (B, ...), for the images of all processes.

    Every process then computes the same loss from it. Gradients flow back into a process's own part only, so those of
    the weights add up over processes to the gradient that one process would have from the same noise. Batch norm is the
    exception: its statistics are each process's own.
    """
    if n_processes() == 1:
        return part
    parts = [torch.empty_like(part, memory_format=torch.contiguous_format) for _ in range(n_processes())]
    dist.all_gather(parts, part.detach().contiguous())
    parts[rank()] = part  # the others came over the wire, where no gradient flows
    return torch.cat(parts)


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
    """Whether one of the processes says so; each waits here for what the others say."""
    return bool(gather(torch.tensor([float(said)])).any())
