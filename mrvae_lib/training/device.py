"""Where to compute, and in which precision."""

from __future__ import annotations

import torch

from mrvae_lib.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU if there is one; a named device that is not there is a ConfigError."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if available[kind])
    if not available[name]:
        raise ConfigError(f"train.device {name!r} is not available here; available: "
                          f"{', '.join(kind for kind, there in available.items() if there)}")
    return torch.device(name)


def use_bf16(precision: str, device: torch.device) -> bool:
    """`auto` takes bf16 where the processor multiplies it natively, since elsewhere it is slower than fp32."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return False
