"""The five seeds that notebook 05 quotes: label accuracy and nats of the code with each help taken out.

    python benchmarks/meaning.py [--seeds 5]

Two minutes on one core.
"""

from __future__ import annotations

import argparse

from mrvae_lib import CodeTable, encode_set, load_config, load_dataset, train
from mrvae_lib.analysis.evaluation import majority_accuracy

SMALL = ["model.hidden=[64]", "model.n_reals=4", "train.batch_size=128", "train.epochs=14", "train.lr=0.004",
         "train.device=cpu", "train.precision=fp32", "objective.beta_z=16", "objective.lambda_aggregate=0",
         "objective.pose={rotation=10,shear=0.15,scale=0.1,shift=0.1}", "objective.lambda_information=150",
         "objective.lambda_consistency=75", "objective.lambda_reading=10"]
"""As `small` in the notebook."""
REWARDS = [f"objective.lambda_{name}=0" for name in ("information", "consistency", "reading")]
RUNS = {"all helps": [], "without the frame": ["model.frame=image"], "without T": [REWARDS[1]],
        "without information": [REWARDS[0]], "without the reader": [REWARDS[2]],
        "without any": ["model.frame=image", *REWARDS]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    images, test = load_dataset("digits"), load_dataset("digits", "test")
    for name, changes in RUNS.items():
        accuracy, nats = [], []
        for seed in seeds:
            model = train(load_config("digits", overrides=[*SMALL, *changes, f"train.seed={seed}"]))
            seen, unseen = encode_set(model, images), encode_set(model, test)
            accuracy.append(majority_accuracy(seen.code_index, images.labels, unseen.code_index, test.labels))
            nats.append(float(CodeTable.from_logits(unseen.bit_logits).information))
        print(f"{name:20} accuracy {', '.join(f'{value:.2f}' for value in accuracy)}; "
              f"nats {', '.join(f'{value:.2f}' for value in nats)}", flush=True)


if __name__ == "__main__":
    main()
