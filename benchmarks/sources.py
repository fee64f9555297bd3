"""The findings of the source projects, measured again: train small, score on the test set once, print a table each.

    python benchmarks/sources.py --train fashion     source 003: FC against CNN at equal beta, three reals
    python benchmarks/sources.py --train reals       source 004: 1 to 16 reals, VAE against beta-VAE
    python benchmarks/sources.py --train capacity    source 002: KL held at C on dSprites
    python benchmarks/sources.py --train stack       source 001: gaze from the face alone or with both eyes enlarged
    python benchmarks/sources.py --train bits        source 000: bits that are used, and bits that are not
    python benchmarks/sources.py --train samples     003 and 004: samples of those runs, by a classifier of real images
    python benchmarks/sources.py

Without --train it prints the tables of docs/sources.jsonl. Schedules are shorter than the originals'; each line names
its preset and every setting that differs. Done runs are skipped, killed ones go on.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from kept import DOCS, Line, Lines, judge_of, rounded
from samples import class_samples, prior_samples
from shipped import markdown
from sklearn.linear_model import LinearRegression

from mrvae_lib.analysis.evaluation import INFORMATIVE, encode_set, evaluate, scored_part
from mrvae_lib.analysis.latent_report import BitRow, RealRow, bit_rows, real_rows
from mrvae_lib.analysis.probes import knn_accuracy, targets
from mrvae_lib.analysis.tables import bit_table, real_table
from mrvae_lib.config import load_config
from mrvae_lib.data import ImageSet, load_dataset
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.checkpoints import load_model

LINES = Lines(DOCS / "sources.jsonl")
STATED_BETAS = (0.01, 0.1, 1, 2)
BETA_EFF = 256 / 48_000 * 784
"""Of source 003 per unit of its stated beta."""
FASHION_EPOCHS = 5
PUBLISHED_FASHION = (("0.01", "0.0418", "fc, published", "248.5", "validation, 30 epochs", "42.0", "", "", "29 to 43"),
                     ("0.1", "0.418", "cnn, published", "254.8", "validation, 10 epochs", "10.3", "", "", "150 to 250"))
PUBLISHED_VARIANCES = ("Published variances (miyosuda/disentangled_vae, one image, named by eye): z0 .9216, z1 .9216, "
                       "z2 .0011 rotation, z3 .0038 rotation?, z4 .0002 posX, z5 .9384, z6 .0004 scale?, z7 .8991, "
                       "z8 .9483, z9 .0004 posY; 20 nats in all.")
EVEN_LR = "train.lr=[[0, 1e-3], [0.7, 1e-3], [1, 1e-4]]"


def costs(model: MRVAE, test: ImageSet, train: ImageSet) -> Line:
    """Reconstruction and KL per test image."""
    measured = evaluate(model, test)
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
    part = scored_part(test)
    asked, codes = targets(part), encode_set(model, part)
    rows = [asdict(row) for row in (*real_rows(codes, asked), *bit_rows(model, codes, asked))]
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
                settings = [f"objective.beta_z={BETA_EFF * stated:.6g}", f"train.seed={seed}",
                            f"train.epochs={FASHION_EPOCHS}", EVEN_LR]
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


def samples(runs: Path) -> None:
    """How sure a classifier of real images is of prior samples, and how pure draws of a class are beside them."""
    for line in LINES.all():
        folder = runs / "-".join(str(line[key]) for key in RUN_KEYS.get(line["finding"], ()))
        key = {"finding": "samples", "run": folder.name}
        if line["finding"] in RUN_KEYS and (folder / "model").is_dir() and LINES.find(key) is None:
            LINES.add(key | judged(load_model(folder), load_config(folder / "config.toml").data.name))


RUN_KEYS = {"fashion": ("finding", "network", "stated_beta", "seed"), "reals": ("finding", "n_reals", "beta")}
"""What names the folders of the runs whose samples are judged."""


def judged(model: MRVAE, data: str) -> Line:
    """1,000 draws from the prior, and as many from each class of the test images."""
    judge, test = judge_of(data), load_dataset(data, "test")
    assert test.labels is not None
    generator, posterior = torch.Generator().manual_seed(0), encode_set(model, test)
    from_prior = prior_samples(model, 1000, generator)
    of_class = [class_samples(model, posterior, test.labels, label, 1000, generator) for label in range(10)]
    right = [(judge.classes(pictures) == label).float().mean() for label, pictures in enumerate(of_class)]
    x = test.take().float() / 255
    return rounded({"judge_accuracy": float((judge.classes(x) == test.labels).float().mean()),
                    "sure_of_real": judge.confidence(x), "sure_of_prior": judge.confidence(from_prior),
                    "purity_of_prior": judge.purity(from_prior), "purity_of_class": float(torch.stack(right).mean())})


def row(values: Iterable[object]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in values) + " |"


def head(*names: str) -> list[str]:
    """The first two lines of a Markdown table."""
    return [row(names), row("---" for _ in names)]


def falls(values: Sequence[float]) -> bool:
    return all(a > b for a, b in itertools.pairwise(values))


def fashion_table(kept: list[Line]) -> list[str]:
    rows = head("stated beta", "beta_eff", "network", "reconstruction", "every seed", "KL_z", "5-NN", "labels shuffled",
                "s per epoch")
    groups = {(stated, network): [line for line in kept if (line["stated_beta"], line["network"]) == (stated, network)]
              for stated in STATED_BETAS for network in ("fc", "cnn")}
    means = {key: {name: statistics.mean(line[name] for line in group)
                   for name in ("reconstruction", "kl_z", "knn", "knn_shuffled")}
             for key, group in groups.items() if group}
    for (stated, network), mean in means.items():
        group = groups[stated, network]
        seeds = ", ".join(f"{line['reconstruction']:.1f}" for line in group)
        seconds = [line["cpu_seconds"] / FASHION_EPOCHS for line in group if line["cpu_seconds"]]
        rows.append(row([f"{stated:g}", f"{BETA_EFF * stated:.3g}", network, f"{mean['reconstruction']:.1f}", seeds,
                         f"{mean['kl_z']:.1f}", mean["knn"], mean["knn_shuffled"],
                         f"{statistics.mean(seconds):.0f}" if seconds else ""]))
    rows += [*map(row, PUBLISHED_FASHION), ""]
    for stated in STATED_BETAS:
        if (stated, "fc") in means and (stated, "cnn") in means:
            more = means[stated, "cnn"]["reconstruction"] - means[stated, "fc"]["reconstruction"]
            rows.append(f"- at {stated}, cnn's reconstruction minus fc's: {more:+.1f} nats")
    for network in ("fc", "cnn"):
        sweeps = [[line for stated in STATED_BETAS for line in groups[stated, network] if line["seed"] == seed]
                  for seed in range(3)]
        whole = [sweep for sweep in sweeps if len(sweep) == len(STATED_BETAS)]
        good = sum(falls([line["kl_z"] for line in sweep]) and falls([-line["reconstruction"] for line in sweep])
                   for sweep in whole)
        rows.append(f"- {network}: with every step to a larger beta KL falls and reconstruction rises, in {good} of "
                    f"{len(whole)} seeds")
    return rows


def reals_table(kept: list[Line]) -> list[str]:
    betas = sorted({line["beta"] for line in kept})
    lines = {(line["n_reals"], line["beta"]): line for line in kept}
    columns = ("reconstruction", "KL_z", "reals in use")
    rows = head("reals", *(f"{column}, beta {beta}" for beta in betas for column in columns))
    for n_reals in sorted({line["n_reals"] for line in kept}):
        group = [lines.get((n_reals, beta)) for beta in betas]
        rows.append(row([n_reals, *(cell for line in group for cell in (
            (f"{line['reconstruction']:.1f}", f"{line['kl_z']:.1f}",
             sum(kl >= INFORMATIVE for kl in line["kl_of_real"]))
            if line else ("", "", "")))]))
    for beta in betas:
        curve = [lines[key]["reconstruction"] for key in sorted(lines) if key[1] == beta]
        rows += [""] * (beta == betas[0])
        rows.append(f"- beta {beta}: reconstruction falls with every step to more reals: {falls(curve)}")
    return rows


def latents_table(kept: list[Line]) -> list[str]:
    rows: list[str] = []
    for line in kept:
        told = f", gamma {line['gamma']}" if "gamma" in line else ""
        reals = [RealRow(**entry) for entry in line["latents"] if entry["name"].startswith("z")]
        bits = [BitRow(**entry) for entry in line["latents"] if entry["name"].startswith("b")]
        # Lines kept before latents that tell nothing went without a name.
        reals = [real if min(real.kl, real.information) >= INFORMATIVE else replace(real, about="") for real in reals]
        bits = [bit if min(bit.information, bit.about_information) >= INFORMATIVE else replace(bit, about="")
                for bit in bits]
        active = sum(real.posterior_variance < 0.1 for real in reals)
        idle = sum(real.posterior_variance > 0.8 for real in reals)
        total = sum(real.kl for real in reals)
        rows += [f"reconstruction {line['reconstruction']:.2f}, KL_z {line['kl_z']:.2f}{told}; the KLs of the reals "
                 f"sum to {total:.2f}; {active} reals have a variance below 0.1, {idle} above 0.8",
                 "", markdown(*real_table(reals)), ""]
        if bits:
            rows += [markdown(*bit_table(bits, ())), ""]
    return [*rows, PUBLISHED_VARIANCES] if "gamma" in kept[0] else rows


def stack_table(kept: list[Line]) -> list[str]:
    names = ("r2_x", "r2_y", "r2_scale", "kl_z")
    rows = head("data", "seed", "R^2 of X", "of Y", "of S", "KL_z")
    for data, told in (("xys", "stacked"), ("xys-full", "face alone")):
        group = [line for line in kept if line["data"] == data]
        rows += [row([told, line["seed"], *(line[name] for name in names)]) for line in group]
        if len(group) > 1:
            rows.append(row([told, "mean", *(statistics.mean(line[name] for line in group) for name in names)]))
    return rows


def samples_table(kept: list[Line]) -> list[str]:
    """One line per kind of run, its seeds averaged."""
    names = ("judge_accuracy", "sure_of_real", "sure_of_prior", "purity_of_prior", "purity_of_class")
    rows = head("run", "runs", "judge's accuracy", "sure of real images", "sure of prior samples", "purity of these",
                "purity of a class's samples")
    kinds: dict[str, list[Line]] = {}
    for line in kept:
        fashion = line["run"].startswith("fashion")
        kinds.setdefault(line["run"].rpartition("-")[0] if fashion else line["run"], []).append(line)
    rows += [row([kind, len(group), *(statistics.mean(line[name] for line in group) for name in names)])
             for kind, group in kinds.items()]
    return rows


FINDINGS: dict[str, tuple[Callable[[Path], None], Callable[[list[Line]], list[str]]]] = {
    "fashion": (fashion, fashion_table), "reals": (reals, reals_table), "capacity": (capacity, latents_table),
    "stack": (stack, stack_table), "bits": (bits, latents_table), "samples": (samples, samples_table),
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
