"""The findings of the source projects, measured again: train small, score on the test set once, print a table each.

    python benchmarks/sources.py --train fashion     source 003: FC against CNN at equal beta, three reals
    python benchmarks/sources.py --train reals       source 004: 1 to 16 reals, VAE against beta-VAE
    python benchmarks/sources.py --train capacity    source 002: KL held at C on dSprites
    python benchmarks/sources.py --train stack       source 001: gaze from the face alone or with both eyes enlarged
    python benchmarks/sources.py --train bits        source 000: bits that are used, and bits that are not
    python benchmarks/sources.py

Without --train it prints the tables of docs/sources.jsonl. Schedules are shorter than the originals'; each line names
its preset and every setting that differs. Done runs are skipped, killed ones go on.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

from kept import DOCS, Line, Lines, rounded
from sklearn.linear_model import LinearRegression

from mrvae_lib.analysis.encoding import encode_set, encoded, evaluate
from mrvae_lib.analysis.latent_table import bit_rows, real_rows
from mrvae_lib.analysis.probes import knn_accuracy
from mrvae_lib.analysis.proxies import targets
from mrvae_lib.data import ImageSet
from mrvae_lib.model.vae import MRVAE

LINES = Lines(DOCS / "sources.jsonl")
STATED_BETAS = (0.01, 0.1, 1, 2)
BETA_EFF = 256 / 48_000 * 784
"""Of source 003 per unit of its stated beta."""
EVEN_LR = "train.lr=[[0, 1e-3], [0.7, 1e-3], [1, 1e-4]]"


def costs(model: MRVAE, test: ImageSet, train: ImageSet) -> Line:
    """Reconstruction and KL per test image."""
    measured = asdict(evaluate(model, test))
    return rounded({key: measured[key] for key in ("reconstruction", "reconstruction_at_mean", "kl_z", "kl_of_real")})


def costs_and_neighbours(model: MRVAE, test: ImageSet, train: ImageSet) -> Line:
    """The costs, and how well the 5 nearest training means name a test image, with right and with shuffled labels."""
    assert train.labels is not None
    assert test.labels is not None
    known, asked = (encode_set(model, images).mu.numpy() for images in (train, test))
    right, shuffled = knn_accuracy(known, train.labels.numpy(), asked, test.labels.numpy())
    return costs(model, test, train) | rounded({"knn": right.score, "knn_shuffled": shuffled.score})


def latents(model: MRVAE, test: ImageSet, train: ImageSet) -> Line:
    """The costs and a row per latent: source 002's table, factors named by mutual information."""
    part = encoded(model, test)
    asked = targets(part.images)
    rows = [asdict(row) for row in real_rows(part.posterior, asked)]
    rows += [asdict(row) for row in bit_rows(model, part.posterior, asked)]
    return costs(model, test, train) | {"latents": rounded(rows)}


def recovered(model: MRVAE, test: ImageSet, train: ImageSet) -> Line:
    """R^2 of each factor from the means, by a linear regression read on combinations that were held out."""
    known, asked = (encode_set(model, images).mu.numpy() for images in (train, test))
    assert train.factors is not None
    assert test.factors is not None
    fits = {f"r2_{name}": float(LinearRegression().fit(known, train.factors[:, i]).score(asked, test.factors[:, i]))
            for i, name in enumerate(test.factor_names)}
    return costs(model, test, train) | rounded(fits)


def fashion(runs: Path) -> None:
    """Source 003's two networks at the same four weights of KL, three seeds."""
    for stated in STATED_BETAS:
        for seed in range(3):
            for network in ("fc", "cnn"):
                settings = [f"objective.beta_z={BETA_EFF * stated:.6g}", f"train.seed={seed}", "train.epochs=5",
                            EVEN_LR]
                LINES.run({"finding": "fashion", "network": network, "stated_beta": stated, "seed": seed},
                          f"fashion-{network}", settings, costs_and_neighbours, runs)


def reals(runs: Path) -> None:
    """Source 004's question: how many reals, and what a beta that acts does to them."""
    for beta in (1, 4):
        for n_reals in (1, 2, 8, 16):
            settings = [f"model.n_reals={n_reals}", f"objective.beta_z={beta}", "train.batch_size=128",
                        "train.epochs=5", EVEN_LR]
            LINES.run({"finding": "reals", "n_reals": n_reals, "beta": beta}, "vae-conv", settings, costs, runs)


def capacity(runs: Path) -> None:
    """Source 002's table of latents; gamma 100 as there, and let in late, because C grows 25 times as fast here."""
    settings = ["objective.capacity_z=[[0, 0], [0.6, 20], [1, 20]]", "data.limit=256000", "train.epochs=1",
                "train.lr=[[0, 1e-3], [0.8, 1e-3], [1, 1e-4]]"]
    for gamma in ("100", "[[0, 0.5], [0.3, 2], [0.5, 100], [1, 100]]"):
        LINES.run({"finding": "capacity", "seed": 0, "gamma": gamma}, "dsprites-capacity",
                  [*settings, f"objective.gamma_z={gamma}"], latents, runs)


def stack(runs: Path) -> None:
    """Source 001's hypothesis: patches of the eyes beside the face make gaze easier to find."""
    for seed in range(2):
        for data in ("xys", "xys-full"):
            LINES.run({"finding": "stack", "data": data, "seed": seed}, "xys",
                      [f"data.name={data}", f"train.seed={seed}"], recovered, runs)


def bits(runs: Path) -> None:
    """Source 000's promise: what a bit that knows something changes, and one that knows nothing."""
    settings = ["model.n_bits=8", "objective.beta_b=1", "objective.beta_z=1", "objective.lambda_information=0",
                "objective.lambda_consistency=0", "train.epochs=5"]
    LINES.run({"finding": "bits", "seed": 0}, "mnist", settings, latents, runs)


def row(values: Iterable[object]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in values) + " |"


def head(*names: str) -> list[str]:
    """The first two lines of a Markdown table."""
    return [row(names), row("---" for _ in names)]


def fashion_table(kept: list[Line]) -> list[str]:
    rows = head("stated beta", "beta_eff", "network", "reconstruction", "every seed", "KL_z", "5-NN", "labels shuffled")
    for stated in STATED_BETAS:
        for network in ("fc", "cnn"):
            group = [line for line in kept if (line["stated_beta"], line["network"]) == (stated, network)]
            if group:
                means = {key: statistics.mean(line[key] for line in group)
                         for key in ("reconstruction", "kl_z", "knn", "knn_shuffled")}
                seeds = ", ".join(f"{line['reconstruction']:.1f}" for line in group)
                rows.append(row([stated, f"{BETA_EFF * stated:.3g}", network, f"{means['reconstruction']:.1f}", seeds,
                                 f"{means['kl_z']:.1f}", means["knn"], means["knn_shuffled"]]))
    return rows


def latents_table(kept: list[Line]) -> list[str]:
    rows: list[str] = []
    for line in kept:
        told = f", gamma {line['gamma']}" if "gamma" in line else ""
        rows += [f"reconstruction {line['reconstruction']:.2f}, KL_z {line['kl_z']:.2f}{told}", ""]
        for letter in "zb":
            latents = [{key: value for key, value in entry.items() if value != []} for entry in line["latents"]
                       if entry["name"].startswith(letter)]
            if latents:
                rows += [*head(*latents[0]), *(row(entry.values()) for entry in latents), ""]
    return rows


def plain_table(kept: list[Line]) -> list[str]:
    left_out = {"finding", "preset", "settings", "kl_of_real", "threads", "last_epoch_loss"}
    names = [key for key in kept[0] if key not in left_out]
    return [*head(*names), *(row(line[key] for key in names) for line in kept)]


FINDINGS: dict[str, tuple[Callable[[Path], None], Callable[[list[Line]], list[str]]]] = {
    "fashion": (fashion, fashion_table), "reals": (reals, plain_table), "capacity": (capacity, latents_table),
    "stack": (stack, plain_table), "bits": (bits, latents_table),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--train", choices=sorted(FINDINGS), help="train for this finding; left out, only print")
    parser.add_argument("--runs", type=Path, default=Path("runs/sources"), help="where the runs are kept")
    asked = parser.parse_args()
    if asked.train:
        FINDINGS[asked.train][0](asked.runs)
    for name, (_, as_table) in FINDINGS.items():
        kept = [line for line in LINES.all() if line["finding"] == name]
        if kept:
            print(f"\n### {name}\n", *as_table(kept), sep="\n")


if __name__ == "__main__":
    main()
