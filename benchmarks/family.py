"""VAE, beta-VAE, beta-TCVAE, FactorVAE and MR-VAE at equal terms: train each, keep one JSON line a run.

    python benchmarks/family.py --seeds 3

4,608 sprites at 32x32: all shapes, sizes and 16 x 16 places, never turned, a fifth held out. One network, batch, number
of steps and set of seeds for all. What each pays differs; beside MR-VAE in the image's own frame stands one whose bits
see each sprite centred and of one size. A run that is done is skipped. The lines are in docs/family.jsonl.
"""

from __future__ import annotations

import argparse
import time

import torch
from kept import DOCS, Lines, rounded

from mrvae_lib.analysis.evaluation import encode_set, evaluate
from mrvae_lib.analysis.factor_scores import factor_scores
from mrvae_lib.config import RunConfig, load_config
from mrvae_lib.data import ImageSet, load_dataset
from mrvae_lib.training.loop import train

LINES = Lines(DOCS / "family.jsonl")
PLAIN = ("model.n_reals=6", "model.n_bits=0", "model.frame=image", "model.hidden=[256, 128]", "objective.beta_z=1",
         "objective.lambda_information=0", "objective.lambda_consistency=0", "objective.lambda_aggregate=0",
         "train.epochs=40", "train.batch_size=128", "train.lr=[[0, 1e-3], [0.7, 1e-3], [1, 2e-4]]",
         "train.precision=fp32", "train.device=cpu")
FACTOR = ("objective.tc=discriminator", "objective.discriminator.hidden=[256, 256]", "objective.discriminator.lr=3e-4")
BITS = ("model.n_bits=2", "objective.lambda_information=[[0, 10], [0.3, 60], [1, 60]]", "objective.beta_b=0",
        "objective.lambda_aggregate=[[0, 60], [0.1, 0], [1, 0]]",
        "objective.lambda_consistency=[[0, 0], [0.1, 0], [0.4, 40], [1, 40]]", "objective.estimator=exact",
        "objective.pose={rotation=0, shear=0, scale=0.3, shift=0.3}")
METHODS: dict[str, tuple[str, tuple[str, ...], tuple[float, ...]]] = {
    "VAE": ("objective.beta_z", (), (1,)),
    "beta-VAE": ("objective.beta_z", (), (2, 4)),
    "beta-TCVAE": ("objective.lambda_tc", (), (1, 3)),
    "FactorVAE": ("objective.lambda_tc", FACTOR, (2, 5)),
    "MR-VAE": ("objective.beta_z", BITS, (1, 2)),
    "MR-VAE, framed": ("objective.beta_z", (*BITS, "model.frame=round"), (1, 2)),
}
"""Per method: the setting that is varied, what else it takes beside `PLAIN`, and the values."""
SCORED = ("MIG", "SAP", "FactorVAE score", "DCI-histogram")


def sprites(split: str) -> ImageSet:
    """Four fifths of the 4,608 sprites, or the last fifth, in a fixed shuffle; `all` for both."""
    whole = load_dataset("dsprites")
    steps = torch.arange(0, 32, 2)
    factors = torch.cartesian_prod(torch.arange(3), torch.arange(6), torch.zeros(1, dtype=torch.int64), steps, steps)
    factors = factors[torch.randperm(len(factors), generator=torch.Generator().manual_seed(0))]
    images = torch.nn.functional.avg_pool2d(whole.at(factors).float(), 2).round().to(torch.uint8)
    kept = factors[:, [0, 1, 3, 4]] // torch.tensor([1, 1, 2, 2])
    all_of_them = ImageSet("sprites", images, kept[:, 0], ("square", "ellipse", "heart"), kept,
                           ("shape", "scale", "posX", "posY"))
    n_test = len(factors) // 5
    return {"all": all_of_them, "test": all_of_them.subset(slice(n_test)),
            "train": all_of_them.subset(slice(n_test, None))}[split]


def config_of(method: str, price: float, seed: int) -> RunConfig:
    """The run of a method at one value of its setting."""
    key, settings, _ = METHODS[method]
    return load_config("digits", overrides=[*PLAIN, *settings, f"{key}={price}", f"train.seed={seed}"])


def run(method: str, price: float, seed: int, images: ImageSet, test: ImageSet, whole: ImageSet) -> None:
    """Train and score, unless the line is there."""
    key = {"method": method, "price": price, "seed": seed}
    if LINES.find(key):
        return
    began = time.process_time()
    model = train(config_of(method, price, seed), images=images)
    seconds = time.process_time() - began
    scores, codes = evaluate(model, test, images, kmeans=False), encode_set(model, whole)
    assert whole.factors is not None
    metrics = factor_scores(codes.mu.numpy(), codes.bits.numpy() if model.n_bits else None, whole.factors.numpy(),
                            only=SCORED, n_train=3000, n_test=1500)
    LINES.add({**key, **rounded({
        "rate": scores["kl_z"] + scores["kl_b"], "distortion": scores["reconstruction"],
        "active": sum(kl >= 0.1 for kl in scores["kl_of_real"]), "code_accuracy": scores["code_accuracy"],
        **{name: float(result.score) for name, result in metrics.items()}, "cpu_seconds": seconds})})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--method", action="append", choices=tuple(METHODS), help="may be given several times")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    images, test, whole = (sprites(split) for split in ("train", "test", "all"))
    for seed in range(asked.seeds):
        for method in asked.method or METHODS:
            for price in METHODS[method][2]:
                run(method, price, seed, images, test, whole)


if __name__ == "__main__":
    main()
