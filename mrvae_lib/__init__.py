"""MR-VAE: variational autoencoders with a binary code beside a real vector, to train, measure and explore."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mrvae_lib import interactive as widgets
    from mrvae_lib.analysis import figures
    from mrvae_lib.analysis.evaluation import encode_set
    from mrvae_lib.analysis.factor_scores import factor_scores
    from mrvae_lib.analysis.latent_report import measure
    from mrvae_lib.analysis.traversals import traverse
    from mrvae_lib.config import load_config
    from mrvae_lib.data import load_dataset
    from mrvae_lib.exercises import check
    from mrvae_lib.model.codes import CodeTable, all_codes
    from mrvae_lib.model.latents import expected_loss
    from mrvae_lib.model.vae import MRVAE, Posterior
    from mrvae_lib.objective import loss_terms, total_loss
    from mrvae_lib.pose import random_pose
    from mrvae_lib.training.checkpoints import load_model
    from mrvae_lib.training.loop import Callback, train

__version__ = "0.1.0"

# Where each public name comes from. It is loaded on first use, so that the command line answers before torch is there.
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
