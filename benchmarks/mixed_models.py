"""What the bits of MR-VAE know, seed by seed: train, score on the test set once, and keep one JSON line per run.

    python benchmarks/mixed_models.py --data mnist --bits 4 --seeds 5
    python benchmarks/mixed_models.py --data mnist --bits 4 --seeds 5 --variant no-pose
    python benchmarks/mixed_models.py --table

A run that is done is skipped and a killed one goes on from its checkpoint, so a command can be given again. The lines
are kept in docs/mixed_models.jsonl; a line names its preset and every setting that differs from it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch

from mrvae_lib.analysis.encoding import evaluate
from mrvae_lib.config import load_config
from mrvae_lib.data import load_dataset
from mrvae_lib.training.loop import train
from mrvae_lib.training.trackers import JsonLines

LINES = Path(__file__).parents[1] / "docs" / "mixed_models.jsonl"
PRESET = {"mnist": "mnist", "fashion-mnist": "fashion-mnist", "dsprites": "dsprites", "digits": "digits"}
NO_POSE = "objective.lambda_consistency=0"
VARIANTS: dict[str, tuple[str, ...]] = {
    "full": (),
    "no-pose": (NO_POSE,),
    "no-information": ("objective.lambda_information=0",),
    "no-ramp": ("objective.lambda_information=60", "objective.lambda_consistency=30"),
    "no-elastic": ("objective.pose.elastic=0",),
    "reals-open": ("objective.beta_z=2.5",),
    "reals-closed": ("objective.beta_z=12",),
    "elbo": (NO_POSE, "objective.lambda_information=0", "objective.beta_z=1", "objective.beta_b=1"),
    "exact": ("objective.estimator=exact",),
    "bit-flip": ("objective.estimator=bit-flip",),
    "straight-through": ("objective.estimator=straight-through",),
}
"""Each changes one thing of the preset; `elbo` leaves nothing but the lower bound."""
CAPACITY_WEIGHT = 30.0


def run_one(data: str, bits: int, seed: int, variant: str, *, quick: bool, runs: Path) -> dict[str, object]:
    """Train and score one model; the line that is kept."""
    settings = [f"model.n_bits={bits}", f"train.seed={seed}", *VARIANTS[variant]]
    return _trained(data, f"{data}-{bits}-{variant}-{seed}", settings, quick=quick, runs=runs) | {
        "bits": bits, "seed": seed, "variant": variant}


def run_without_bits(line: dict[str, object], *, quick: bool, runs: Path) -> dict[str, object]:
    """The same network with K = 0, held at the total information KL_z + I(x; b) of a line: what the bits cost."""
    total = float(line["kl_z"]) + float(line["information_of_code"])  # type: ignore[arg-type]
    settings = ["model.n_bits=0", f"train.seed={line['seed']}", "objective.beta_z=0",
                f"objective.gamma_z={CAPACITY_WEIGHT}", f"objective.capacity_z=[[0, 0.5], [0.5, {total}], [1, {total}]]",
                "objective.lambda_information=0", NO_POSE]
    name = f"{line['data']}-without-{line['bits']}-{line['variant']}-{line['seed']}"
    return _trained(str(line["data"]), name, settings, quick=quick, runs=runs) | {
        "bits": 0, "seed": line["seed"], "variant": f"without-{line['bits']}-{line['variant']}"}


def _trained(data: str, name: str, settings: list[str], *, quick: bool, runs: Path) -> dict[str, object]:
    config = load_config(PRESET[data], quick=quick, overrides=settings)
    folder = runs / (name + ("-quick" if quick else ""))
    images, test = load_dataset(data, "train"), load_dataset(data, "test")
    began = time.process_time()
    model = train(config, folder, images=images, callbacks=[JsonLines(folder / "metrics.jsonl")])
    if not (folder / "model").is_dir():
        sys.exit(f"stopped; the same command goes on with {folder}")
    seconds = time.process_time() - began
    scores = asdict(evaluate(model, test, images))
    kept = ("code_accuracy", "kmeans_accuracy", "kl_z", "kl_of_real", "information_of_code", "aggregate_kl",
            "total_correlation", "codes_used", "neg_elbo", "reconstruction", "reconstruction_at_mean")
    last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["loss"]
    return {"data": data, "quick": quick, "settings": settings, **{key: scores[key] for key in kept},
            "last_epoch_loss": last, "cpu_seconds": round(seconds), "threads": torch.get_num_threads()}


def lines() -> list[dict[str, object]]:
    """Every run kept so far."""
    return [json.loads(text) for text in LINES.read_text().splitlines()] if LINES.is_file() else []


def keep(line: dict[str, object]) -> None:
    """Add a run's line and say what it reached."""
    with LINES.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    accuracy = line["code_accuracy"]
    print(f"{line['data']} K={line['bits']} {line['variant']} seed {line['seed']}: "
          f"accuracy {'-' if accuracy is None else f'{accuracy:.4f}'}, KL_z {line['kl_z']:.2f}, "
          f"reconstruction {line['reconstruction']:.1f}, {line['cpu_seconds']} CPU s", flush=True)


def table() -> str:
    """The Markdown table of mean, standard deviation and every seed."""
    groups: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for line in lines():
        groups.setdefault((line["data"], line["bits"], line["variant"], line["quick"]), []).append(line)
    rows = ["| data | K | run | accuracy, mean ± std | every seed | k-means | KL_z | I(x; b) | reconstruction |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for (data, bits, variant, quick), group in groups.items():
        group.sort(key=lambda line: int(str(line["seed"])))
        accuracy = [float(str(line["code_accuracy"])) for line in group if line["code_accuracy"] is not None]
        spread = f" ± {statistics.stdev(accuracy):.3f}" if len(accuracy) > 1 else ""
        told = f"{statistics.mean(accuracy):.3f}{spread}" if accuracy else "–"
        seeds = ", ".join(f"{value:.3f}" for value in accuracy) or f"{len(group)} seeds"
        floor = group[0]["kmeans_accuracy"]
        means = [statistics.mean(float(str(line[key] or 0)) for line in group)
                 for key in ("kl_z", "information_of_code", "reconstruction")]
        rows.append(f"| {data} | {bits} | {variant}{', quick' if quick else ''} | {told} | {seeds} | "
                    f"{'–' if floor is None else f'{floor:.3f}'} | " + " | ".join(f"{mean:.2f}" for mean in means) + " |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", choices=sorted(PRESET), default="mnist")
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to this number - 1")
    parser.add_argument("--variant", choices=sorted(VARIANTS), default="full")
    parser.add_argument("--price", action="store_true", help="also train the network without bits beside each run")
    parser.add_argument("--quick", action="store_true", help="the preset's quick table")
    parser.add_argument("--runs", type=Path, default=Path("runs/mixed"), help="where the runs are kept")
    parser.add_argument("--table", action="store_true", help="print the table of all lines and train nothing")
    asked = parser.parse_args()
    if not asked.table:
        for seed in range(asked.seeds):
            wanted = {"data": asked.data, "bits": asked.bits, "seed": seed, "variant": asked.variant,
                      "quick": asked.quick}
            line = find(wanted)
            if line is None:
                line = run_one(asked.data, asked.bits, seed, asked.variant, quick=asked.quick, runs=asked.runs)
                keep(line)
            without = wanted | {"bits": 0, "variant": f"without-{asked.bits}-{asked.variant}"}
            if asked.price and find(without) is None:
                keep(run_without_bits(line, quick=asked.quick, runs=asked.runs))
    print(table())


def find(wanted: dict[str, object]) -> dict[str, object] | None:
    """The kept line of this run, if there is one."""
    return next((line for line in lines() if wanted.items() <= line.items()), None)


if __name__ == "__main__":
    main()
