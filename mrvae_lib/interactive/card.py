"""The model card in words: what a page says of its model's making and scores."""

from __future__ import annotations

import math
from typing import Any

from mrvae_lib.config import ModelConfig
from mrvae_lib.data import DATASETS
from mrvae_lib.model.vae import MRVAE

UNITS = {"rotation": "°", "shear": "", "mirror": ""}
"""Of the amounts in T; the others are shares, shown in per cent."""


def card_rows(model: MRVAE) -> list[tuple[str, str]]:
    """What the card tells, as (term, text), in the order a reader asks; a model without a card tells its size."""
    config, card = model.config, model.card
    hidden = f", hidden {', '.join(map(str, config.hidden))}" if config.network in ("mlp", "conv") else ""
    rows = [("Model", f"{config.n_reals} reals and {config.n_bits} bits; {config.network} network{hidden}; "
                      f"{config.likelihood} likelihood")]
    if "data" in card:
        licence = DATASETS[card["data"]].licence if card["data"] in DATASETS else ""
        rows.append(("Data", f"{card['data']}, used without labels" + (f"; {licence}" if licence else "")))
    if config.frame != "image" or config.posed:
        rows.append(("Frame", frame_text(config)))
    objective = card.get("run", {}).get("objective", {})
    if objective.get("lambda_consistency"):
        rows.append(("T, what the code should survive", pose_text(objective.get("pose", {}))))
    if "command" in card:
        rows.append(("Trained with", card["command"]))
    return rows + _score_rows(card.get("scores", {}))


def accuracy_text(scores: dict[str, Any]) -> str:
    """The code's label accuracy beside k-means, on how many images; empty where there are no labels."""
    if scores.get("code_accuracy") is None:
        return ""
    kmeans = scores.get("kmeans_accuracy")
    rival = f" (k-means {100 * kmeans:.1f} %)" if kmeans is not None else ""
    return f"{100 * scores['code_accuracy']:.1f} % of {scores['n_images']:,} test images{rival}"


def frame_text(config: ModelConfig) -> str:
    """What is built in about place: what the bits cannot see, and what the first reals do."""
    blind = {"image": "", "upright": "the bits do not see place, size and slant",
             "round": "the bits do not see place, size and stretch"}[config.frame]
    placed = "z0 to z4 place what the other latents draw: across, down, size and two ways to stretch"
    return "; ".join(part for part in (blind, placed if config.posed else "") if part)


def pose_text(pose: dict[str, Any]) -> str:
    """T in words: every amount that is not nought."""
    def amount(name: str, value: float) -> str:
        if name == "mirror":
            return "mirror images"
        return f"{name} {value:g}{UNITS[name]}" if name in UNITS else f"{name} {100 * value:g} %"

    return ", ".join(amount(name, value) for name, value in pose.items() if value) or "nothing"


def _score_rows(scores: dict[str, Any]) -> list[tuple[str, str]]:
    if not scores:
        return []
    rows = [("Label accuracy of the code", accuracy_text(scores))] if accuracy_text(scores) else []
    rows.append(("−ELBO on hard bits", f"{scores['neg_elbo']:.2f} nats per image: reconstruction "
                 f"{scores['reconstruction']:.2f}, KL of z {scores['kl_z']:.2f}, KL of b {scores['kl_b']:.2f}"))
    if scores.get("information_of_code") is not None:
        most = len(scores["information_of_bit"]) * math.log(2)
        rows.append(("Information of the code", f"{scores['information_of_code']:.2f} of at most {most:.2f} nats, "
                     f"{scores['codes_used']} codes in use"))
    return rows
