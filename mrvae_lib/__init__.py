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
    from mrvae_lib.interactive.exercises import check
    from mrvae_lib.interactive.export import export_html
    from mrvae_lib.model.codes import CodeTable, all_codes
    from mrvae_lib.model.latents import expected_loss
    from mrvae_lib.model.vae import MRVAE
    from mrvae_lib.objective import loss_terms, total_loss
    from mrvae_lib.pose import random_pose
    from mrvae_lib.training.checkpoints import load_model
    from mrvae_lib.training.loop import Callback, train

__version__ = "0.1.0"
__all__ = [
    "MRVAE",
    "Callback",
    "CodeTable",
    "all_codes",
    "check",
    "encode_set",
    "expected_loss",
    "export_html",
    "factor_scores",
    "figures",
    "load_config",
    "load_dataset",
    "load_model",
    "loss_terms",
    "measure",
    "random_pose",
    "total_loss",
    "train",
    "traverse",
    "widgets",
]

# Each module is loaded on the first use of one of its names, so that the command line answers before torch is there.
_HOMES = {
    "config": ["load_config"],
    "data": ["load_dataset"],
    "model.codes": ["CodeTable", "all_codes"],
    "model.latents": ["expected_loss"],
    "model.vae": ["MRVAE"],
    "pose": ["random_pose"],
    "objective": ["loss_terms", "total_loss"],
    "training.checkpoints": ["load_model"],
    "training.loop": ["Callback", "train"],
    "analysis.evaluation": ["encode_set"],
    "analysis.factor_scores": ["factor_scores"],
    "analysis.latent_report": ["measure"],
    "analysis.traversals": ["traverse"],
    "interactive.exercises": ["check"],
    "interactive.export": ["export_html"],
}
_MODULES = {"figures": "analysis.figures", "widgets": "interactive"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"mrvae_lib.{_MODULES[name]}")
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"mrvae_lib.{home}"), name)
    raise AttributeError(f"module 'mrvae_lib' has no attribute {name!r}")
