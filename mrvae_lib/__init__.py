"""MR-VAE: variational autoencoders with a binary code beside a real vector, to train, measure and explore."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Where each public name comes from; `__init__.pyi` says the same to type checkers and editors. A name is loaded on its
# first use, so that the command line answers before torch is there.
_HOMES = {
    "MRVAE": "model.vae", "Posterior": "model.vae",
    "load_model": "training.checkpoints", "load_config": "config", "load_dataset": "data",
    "train": "training.loop", "Callback": "training.loop",
    "loss_terms": "objective", "total_loss": "objective", "random_pose": "pose", "expected_loss": "model.latents",
    "all_codes": "model.codes", "CodeTable": "model.codes",
    "encode_set": "analysis.evaluation", "measure": "analysis.latent_report",
    "factor_scores": "analysis.factor_scores", "traverse": "analysis.traversals", "check": "exercises",
}
_MODULES = {"figures": "analysis.figures", "widgets": "interactive"}
__all__ = sorted([*_HOMES, *_MODULES])


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"mrvae_lib.{_MODULES[name]}")
    if name in _HOMES:
        return getattr(import_module(f"mrvae_lib.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mrvae_lib' has no attribute {name!r}")
