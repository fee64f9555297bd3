"""Runs that are kept as JSON lines: done ones are skipped, killed ones go on, a table is made of them."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from samples import Judge

from mrvae_lib.config import load_config
from mrvae_lib.data import ImageSet, load_dataset
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.callbacks import JsonLines
from mrvae_lib.training.loop import train

DOCS = Path(__file__).parents[1] / "docs"
Line = dict[str, Any]
Scores = Callable[[MRVAE, ImageSet, ImageSet], Line]


class Lines:
    """A file of one JSON object per run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> list[Line]:
        """Every run kept so far."""
        return [json.loads(text) for text in self.path.read_text().splitlines()] if self.path.is_file() else []

    def find(self, key: Line) -> Line | None:
        """The run whose line has these values, if it is kept."""
        return next((line for line in self.all() if key.items() <= line.items()), None)

    def run(self, key: Line, preset: str, settings: list[str], scores: Scores, runs: Path,
            images: ImageSet | None = None) -> Line:
        """Train, score on the test set and keep the line, unless it is there.

        Args:
            key: what tells this run from all others.
            scores: reads the figures from the model, the test images and the training images.
            runs: the folder of run folders; a run that was killed goes on there.
            images: to train on, if not the whole training set.
        """
        if (line := self.find(key)) is not None:
            return line
        config = load_config(preset, overrides=settings)
        folder = runs / re.sub(r"[^\w.]+", "-", "-".join(str(value) for value in key.values())).strip("-")
        images = load_dataset(config.data.name, "train") if images is None else images
        test = load_dataset(config.data.name, "test")
        began = time.process_time()
        model = train(config, folder, images=images, callbacks=[JsonLines(folder / "metrics.jsonl")])
        if not (folder / "model").is_dir():
            sys.exit(f"stopped; the same command goes on with {folder}")
        seconds = round(time.process_time() - began)
        last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["loss"]
        line = {**key, "preset": preset, "settings": settings, **scores(model, test, images),
                "last_epoch_loss": round(last, 4), "cpu_seconds": seconds, "threads": torch.get_num_threads()}
        self.add(line)
        return line

    def add(self, line: Line) -> None:
        """Keep a line and print it."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


def rounded(values: Any) -> Any:
    """Figures as a table needs them, four digits behind the point."""
    if isinstance(values, dict):
        return {key: rounded(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [rounded(value) for value in values]
    return round(values, 4) if isinstance(values, float) else values


@cache
def judge_of(data: str) -> Judge:
    """A classifier of the data set's training images, made once."""
    return Judge.of(load_dataset(data))
