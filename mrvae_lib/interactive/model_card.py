"""The model card in words: what a page says of its model's making and scores."""

from __future__ import annotations

import math
from typing import Any

from mrvae_lib.data import DATASETS
from mrvae_lib.model.vae import MRVAE

UNITS = {"rotation": "°", "shear": ""}
"""Of the amounts in T; the others are shares, shown in per cent."""
FRAMES = {"upright": "the bits do not see place, size and slant",
          "round": "the bits do not see place, size and stretch"}
POSED = "z0 to z4 place what the other latents draw: across, down, size and two ways to stretch"


def card_rows(model: MRVAE) -> list[tuple[str, str]]:
    """What the card tells, as (term, text), in the order a reader asks; a model without a card tells its size."""
    config, card, scores = model.config, model.card, model.card.get("scores", {})
    data, objective = card.get("data"), card.get("run", {}).get("objective", {})
    hidden = f", hidden {', '.join(map(str, config.hidden))}" if config.network in ("mlp", "conv") else ""
    licence = f"; {DATASETS[data].licence}" if data in DATASETS and DATASETS[data].licence else ""
    rows = {
        "Model": f"{config.n_reals} reals and {config.n_bits} bits; {config.network} network{hidden}; "
                 f"{config.likelihood} likelihood",
        "Data": data and f"{data}, used without labels{licence}",
        "Frame": "; ".join(filter(None, (FRAMES.get(config.frame), POSED if config.posed else ""))),
        "T, what the code should survive":
            objective.get("lambda_consistency") and pose_text(objective.get("pose", {})),
        "Trained with": card.get("command"),
        "Label accuracy of the code": _accuracy_text(scores),
    }
    if scores:
        rows["−ELBO on hard bits"] = (
            f"{scores['neg_elbo']:.2f} nats per image: reconstruction {scores['reconstruction']:.2f}, "
            f"KL of z {scores['kl_z']:.2f}, KL of b {scores['kl_b']:.2f}")
    if scores.get("information_of_code") is not None:
        most = len(scores["information_of_bit"]) * math.log(2)
        rows["Information of the code"] = (f"{scores['information_of_code']:.2f} of at most {most:.2f} nats, "
                                           f"{scores['codes_used']} codes in use")
    return [(term, text) for term, text in rows.items() if text]


def one_line_summary(model: MRVAE) -> str:
    """What a gallery says of a model: its size, its data and its best-known score."""
    scores, data = model.card.get("scores", {}), model.card.get("data")
    accuracy = _accuracy_text(scores)
    facts = [f"{model.n_bits} bits and {model.n_reals} reals", data and f"trained on {data} without labels",
             accuracy and f"the code is right about {accuracy}"]
    if scores and not accuracy:
        facts.append(f"−ELBO {scores['neg_elbo']:.1f} nats per image")
    return "; ".join(filter(None, facts)) + "."


def pose_text(pose: dict[str, Any]) -> str:
    """T in words: every amount that is not 0."""
    amounts = [f"{name} {value:g}{UNITS[name]}" if name in UNITS else f"{name} {100 * value:g} %"
               for name, value in pose.items() if value and name != "mirror"]
    return ", ".join(amounts + (["mirror images"] if pose.get("mirror") else [])) or "nothing"


def _accuracy_text(scores: dict[str, Any]) -> str:
    """The code's label accuracy beside k-means, on how many images; empty where there are no labels."""
    if scores.get("code_accuracy") is None:
        return ""
    kmeans = scores.get("kmeans_accuracy")
    rival = f" (k-means {100 * kmeans:.1f} %)" if kmeans is not None else ""
    return f"{100 * scores['code_accuracy']:.1f} % of {scores['n_images']:,} test images{rival}"
