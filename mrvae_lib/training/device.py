"""Where to compute, and in which precision."""

import ctypes
import sys
import time
from collections.abc import Callable

import torch

from mrvae_lib.errors import ConfigError

MEASURED_SECONDS = 0.6
"""How long the two precisions are tried in all, beyond one step of each to warm up."""
CLEARLY_FASTER = 0.97
"""bf16 is taken where its step lasts less than this share of the step in fp32, so that noise does not choose it."""


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU if there is one; a named device that is not there is a ConfigError."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if available[kind])
    if not available[name]:
        raise ConfigError(f"train.device {name!r} is not available here; available: "
                          f"{', '.join(kind for kind, there in available.items() if there)}")
    return torch.device(name)


def keep_freed_memory() -> None:
    """Let this process keep the memory that a step frees, for the next step; where there is no glibc, do nothing.

    glibc would give each large block back to the system and fetch it again, empty, page by page: a third of the time of
    a step on some processors. The process then holds on to the most that it ever needed.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(-3, 2**30)  # M_MMAP_THRESHOLD, bytes: freed blocks below it are kept,
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD, bytes: up to so many


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the processor multiplies bf16 natively; it may still be slower there than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    known = torch.cpu.get_capabilities() if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities") else {}
    return any(known.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def seconds_per_step(step: Callable[[bool], None]) -> dict[str, float]:
    """How long the forward and backward pass of a training step take in each precision, by the clock.

    Args:
        step: runs one step, in bf16 if told so; it must leave the run as it was.
    Returns:
        Seconds under `fp32` and `bf16`, the shortest of the steps tried. They take turns, so that a slow moment of the
        machine meets both.
    """
    seconds = {"fp32": float("inf"), "bf16": float("inf")}
    for bf16 in (False, True):
        step(bf16)  # the first step of each also prepares its kernels
    end = time.perf_counter() + MEASURED_SECONDS
    while time.perf_counter() < end:
        for name in seconds:
            began = time.perf_counter()
            step(name == "bf16")
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            seconds[name] = min(seconds[name], time.perf_counter() - began)
    return seconds
