"""What the bits of MR-VAE know, seed by seed: train, score on the test set once, keep one JSON line per run.

    python benchmarks/mixed_models.py --data mnist --bits 4 --seeds 5 --price
    python benchmarks/mixed_models.py --data mnist --bits 4 --seeds 5 --variant no-pose
    python benchmarks/mixed_models.py

Without --data it trains nothing and prints the table. A run that is done is skipped and a killed one goes on from its
checkpoint, so a command can be given again. The lines are in docs/mixed_models.jsonl.
"""

from __future__ import annotations

import argparse
import math
import statistics
from pathlib import Path

import numpy as np
import torch
from kept import DOCS, Line, Lines, judge_of, rounded

from mrvae_lib.analysis.evaluation import (
    encode_set,
    evaluate,
    informative_latents,
    majority_accuracy,
    scored_part,
    swapped,
)
from mrvae_lib.analysis.factor_scores import factor_scores
from mrvae_lib.config import PoseConfig, load_config
from mrvae_lib.data import ImageSet
from mrvae_lib.model.codes import code_index
from mrvae_lib.model.vae import MRVAE, Posterior

LINES = Lines(DOCS / "mixed_models.jsonl")
PRESETS = ("digits", "mnist", "fashion-mnist", "dsprites")
"""Each is called as its data set."""
NO_POSE = ("objective.lambda_consistency=0", *(f"objective.pose.{name}={'false' if name == 'mirror' else 0}"
                                               for name in PoseConfig.model_fields))
NO_FRAME = ("model.frame=image", "model.posed=false")
NO_READING = ("objective.lambda_reading=0",)
LATE = (*NO_READING, "objective.beta_z=[[0, 12], [0.5, 12], [0.65, 1.4], [1, 1.4]]")
VARIANTS: dict[str, tuple[str, ...]] = {
    "full": (),
    "no-pose": NO_POSE,
    "no-frame": NO_FRAME,
    "no-pose-no-frame": (*NO_POSE, *NO_FRAME),
    "no-aggregate": ("objective.lambda_aggregate=0",),
    "no-information": ("objective.lambda_information=0",),
    "no-ramp": ("objective.lambda_information=60", "objective.lambda_consistency=30"),
    "no-elastic": ("objective.pose.elastic=0",),
    "no-specks": ("objective.pose.specks=0",),
    "no-reading": NO_READING,
    "shorter": ("train.epochs=30",),
    "reals-late": LATE,
    "reals-closed": ("objective.beta_z=12",),
    "elbo": (*NO_POSE, *NO_READING, "objective.lambda_information=0", "objective.lambda_aggregate=0",
             "objective.beta_z=1", "objective.beta_b=1"),
    "exact": ("objective.estimator=exact",),
    "bit-flip": ("objective.estimator=bit-flip",),
    "straight-through": ("objective.estimator=straight-through",),
}
"""What each takes from the preset; the numbers are MNIST's. `elbo` leaves nothing but the lower bound;
`reals-late` lets z speak only once the bits have spoken, in the place of the price on unread codes."""
KEPT = ("code_accuracy", "kmeans_accuracy", "codes_read", "code_decides", "kl_z", "kl_of_real", "information_of_code",
        "aggregate_kl", "total_correlation", "codes_used", "neg_elbo", "reconstruction", "reconstruction_at_mean",
        "factor_vae", "factor_vae_of_factor")


NEAR, MAX_TRIES, FIRST_SLOPE = 0.5, 5, -8.0
"""Of the search for a price: nats that are near enough, trainings at most, nats that a price e times as high saves."""


def scores(model: MRVAE, test: ImageSet, train: ImageSet) -> Line:
    """The figures of one run's line."""
    test, train = (part := scored_part(test)), part if train is test else scored_part(train)
    codes = encode_set(model, test)
    known = codes if train is test else encode_set(model, train)
    measured = evaluate(model, test, train, test_codes=codes, train_codes=known)
    if model.n_bits and train is not test:
        measured["code_decides"] = code_decides(model, codes, train, known)
    if test.factors is not None:
        found = factor_scores(codes.mu.numpy(), codes.bits.numpy(), test.factors.numpy(), only=["FactorVAE score"])
        found = found["FactorVAE score"]
        measured |= {"factor_vae": found.score, "factor_vae_of_factor": found.per_factor}
    return rounded({key: measured[key] for key in KEPT if key in measured})


def code_decides(model: MRVAE, codes: Posterior, train: ImageSet, known: Posterior) -> float:
    """The share of `swapped` pictures that a classifier of real images takes for what their code mostly stands for.

    Args:
        codes: of the test images, known: of the training images.
    """
    with torch.inference_mode():
        pictures, bits = (torch.cat(batches) for batches in zip(*swapped(model, codes), strict=True))
    taken_for = judge_of(train.name).classes(pictures)
    return majority_accuracy(known.code_index, train.labels, code_index(bits), taken_for)


def with_bits(data: str, bits: int, variant: str, seed: int, runs: Path) -> Line:
    """One model with bits."""
    settings = [f"model.n_bits={bits}", f"train.seed={seed}", *VARIANTS[variant]]
    return LINES.run({"data": data, "bits": bits, "variant": variant, "seed": seed}, data, settings, scores, runs)


def without_bits(line: Line, runs: Path) -> Line:
    """What the bits cost: the same network with K = 0, whose KL is that line's KL_z + I(x; b) within half a nat.

    The price of its nats, the preset's beta_z times a factor, is what is sought; every try keeps a line of its own.
    """
    total = line["kl_z"] + line["information_of_code"]
    base = np.array(load_config(line["preset"], overrides=line["settings"]).objective.beta_z)
    factor, slope, before = 1.0, FIRST_SLOPE, None
    for _ in range(MAX_TRIES):
        prices = (base * [1, factor] if base.ndim else base * factor).tolist()
        settings = [*line["settings"], "model.n_bits=0", f"objective.beta_z={prices}", "objective.lambda_information=0",
                    *NO_POSE]
        key = {"data": line["data"], "bits": 0, "variant": f"beside {line['bits']} bits, {line['variant']}",
               "seed": line["seed"], "factor": factor}
        found = LINES.run(key, line["preset"], settings, scores, runs)
        off = found["kl_z"] - total
        if abs(off) <= NEAR:
            return found
        if before:
            slope = (off - before[1]) / math.log(factor / before[0])
        before, factor = (factor, off), round(factor * math.exp(-off / slope), 4)
    raise SystemExit(f"no factor found for seed {line['seed']}: {before}")


def table() -> str:
    """Mean, standard deviation and every seed, as Markdown; of the tries for a price, the one that was near enough."""
    groups: dict[tuple[str, int, str], dict[int, Line]] = {}
    for line in sorted(LINES.all(), key=lambda line: line["seed"]):
        groups.setdefault((line["data"], line["bits"], line["variant"]), {})[line["seed"]] = line
    rows = ["| data | K | run | accuracy | every seed | k-means | KL_z | reals in use | I(x; b) | reconstruction | "
            "code decides | FactorVAE |", "| --- " * 12 + "|"]
    for (data, bits, variant), by_seed in sorted(groups.items()):
        group = list(by_seed.values())
        in_use = ", ".join(str(len(informative_latents(line["kl_of_real"]))) for line in group)
        floor = f"{group[0]['kmeans_accuracy']:.3f}" if bits else ""
        seeds = ", ".join(f"{line['code_accuracy']:.3f}" for line in group) if bits else ""
        cells = [data, str(bits), variant, spread(group, "code_accuracy", 3), seeds, floor, spread(group, "kl_z", 2),
                 in_use, spread(group, "information_of_code", 2), spread(group, "reconstruction", 1),
                 spread(group, "code_decides", 3), spread(group, "factor_vae", 3)]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def spread(group: list[Line], key: str, digits: int) -> str:
    """Mean and standard deviation over seeds; empty where nothing was measured."""
    values = [line[key] for line in group if line.get(key) is not None]
    if not values:
        return ""
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{deviation}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", choices=PRESETS, help="train on this; left out, only print the table")
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to this number - 1")
    parser.add_argument("--variant", choices=sorted(VARIANTS), default="full")
    parser.add_argument("--price", action="store_true", help="also train the network without bits beside each run")
    parser.add_argument("--runs", type=Path, default=Path("runs/mixed"), help="where the runs are kept")
    asked = parser.parse_args()
    for seed in range(asked.seeds if asked.data else 0):
        line = with_bits(asked.data, asked.bits, asked.variant, seed, asked.runs)
        if asked.price:
            without_bits(line, asked.runs)
    print(table())


if __name__ == "__main__":
    main()
