"""How well gaze is read off a trained model's means, by a line and by source 001's head, on combinations it never saw.

    python benchmarks/gaze_head.py [RUN ...]     without a run: the preset xys, trained for 10 epochs
"""

from __future__ import annotations

import sys

from mrvae_lib import load_config, train
from mrvae_lib.analysis.evaluation import encode_set
from mrvae_lib.analysis.gaze_head import read_gaze
from mrvae_lib.data import load_dataset
from mrvae_lib.data.gaze import factor_values
from mrvae_lib.training.checkpoints import load_model


def main() -> None:
    models = {run: load_model(run) for run in sys.argv[1:]}
    if not models:
        models = {"xys, 10 epochs": train(load_config("xys", overrides=["train.epochs=10"]))}
    for name, model in models.items():
        data = model.card.get("data", "xys")
        sets = [load_dataset(data, split) for split in ("train", "test")]
        pairs = [(encode_set(model, images).mu, factor_values(images.factors)[:, :2]) for images in sets]
        for reader, reading in read_gaze(*pairs).items():
            x, y = reading.r_squared
            print(f"{name}: {reader:6} R^2 of x {x:.3f}, of y {y:.3f}, mean error {reading.mean_error:.3f}")


if __name__ == "__main__":
    main()
