"""What the command line says of a data set, a result and itself."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import torch

from mrvae_lib.data.imageset import ImageSet


def verdict(code: float, kmeans: float, data: str) -> str:
    """Whether the code says more of the label than clusters of pixels do, accuracy against accuracy."""
    if code > kmeans:
        return f"The code beats k-means by {100 * (code - kmeans):.1f} points."
    text = f"k-means beats the code by {100 * (kmeans - code):.1f} points."
    if data == "digits":
        text += " These are few images: with MNIST's 60,000 the code wins (make run DATA=mnist)."
    return text


def label_counts(images: ImageSet) -> str:
    """How many images there are of each label."""
    if images.labels is None:
        return "none"
    names = images.label_names or tuple(str(i) for i in range(int(images.labels.max()) + 1))
    counts = torch.bincount(images.labels, minlength=len(names)).tolist()
    return ", ".join(f"{name} {count:,}" for name, count in zip(names, counts, strict=True))


def program() -> str:
    """How to call this program again: by name, or by its place where no environment is active (after `make run`)."""
    here = Path(sys.argv[0])
    if shutil.which("mrvae") or here.stem != "mrvae":
        return "mrvae"
    return os.path.relpath(here)
