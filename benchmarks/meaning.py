"""The five seeds that notebook 05 quotes: label accuracy and nats of the code with each help taken out.

    python benchmarks/meaning.py [--seeds 5]

The settings are the notebook's own: its cells are read, so that a change there changes what is measured here. Two
minutes on one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jupytext

from mrvae_lib import CodeTable, encode_set, load_config, load_dataset, train

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "05_meaning.py"
REWARDS = [f"objective.lambda_{name}=0" for name in ("information", "consistency", "reading")]
RUNS = {"all helps": [], "without the frame": ["model.frame=image"], "without T": [REWARDS[1]],
        "without information": [REWARDS[0]], "without the reader": [REWARDS[2]],
        "without any": ["model.frame=image", *REWARDS]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    scope: dict = {}
    for cell in jupytext.read(NOTEBOOK).cells:
        if cell.source.startswith(("small = [", "# @title Solution\ndef code_accuracy")):
            exec(cell.source.split("\n\n\ndef without")[0], scope)  # noqa: S102 (our own notebook)
    images, test = load_dataset("digits"), load_dataset("digits", "test")
    for name, changes in RUNS.items():
        accuracy, nats = [], []
        for seed in seeds:
            model = train(load_config("digits", overrides=[*scope["small"], *changes, f"train.seed={seed}"]))
            seen, unseen = encode_set(model, images), encode_set(model, test)
            accuracy.append(scope["code_accuracy"](seen.code_index.tolist(), images.labels.tolist(),
                                                   unseen.code_index.tolist(), test.labels.tolist()))
            nats.append(float(CodeTable.from_logits(unseen.bit_logits).information))
        print(f"{name:20} accuracy {', '.join(f'{value:.2f}' for value in accuracy)}; "
              f"nats {', '.join(f'{value:.2f}' for value in nats)}", flush=True)


if __name__ == "__main__":
    main()
