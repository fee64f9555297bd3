"""Where to compute, and in which precision."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils.benchmark import Timer

from mrvae_lib.errors import ConfigError

MEASURED_SECONDS = 0.6
"""How long the two precisions are tried in all, beyond a few steps of each to warm up."""
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


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the processor multiplies bf16 natively; it may still be slower there than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return False


def seconds_per_step(step: Callable[[bool], None]) -> dict[str, float]:
    """How long the forward and backward pass of a training step take in each precision, by torch's benchmark timer.

    Args:
        step: runs one step, in bf16 if told so; it must leave the run as it was.
    Returns:
        Median seconds under `fp32` and `bf16`.
    """
    def median(bf16: bool) -> float:
        timer = Timer("step(bf16)", globals={"step": step, "bf16": bf16}, num_threads=torch.get_num_threads())
        return timer.blocked_autorange(min_run_time=MEASURED_SECONDS / 2).median

    return {"fp32": median(False), "bf16": median(True)}
