"""How well the factors of XYS can be read off its pixels by a linear regression, on combinations it never saw.

    python benchmarks/gaze.py
"""

from __future__ import annotations

import time

from sklearn.linear_model import LinearRegression
from torch import Tensor

from mrvae_lib.data import ImageSet, load_dataset
from mrvae_lib.data.gaze import eye_crops


def r_squared(pixels: tuple[Tensor, Tensor], sets: tuple[ImageSet, ImageSet], factor: int) -> float:
    """R^2 on the test split of a regression fitted on the training split."""
    train, test = (part.flatten(1).float() / 255 for part in pixels)
    values = [images.factors[:, factor] for images in sets]
    return LinearRegression().fit(train, values[0]).score(test, values[1])


def main() -> None:
    began = time.perf_counter()
    sets = load_dataset("xys-full", "train"), load_dataset("xys-full", "test")
    print(f"XYS, {len(sets[0])} + {len(sets[1])} images of 64x64, drawn twice in {time.perf_counter() - began:.1f} s")
    full = tuple(images.take() for images in sets)
    eyes = tuple(eye_crops(images.take(), images.factors) for images in sets)
    for factor, name in enumerate(sets[0].factor_names):
        print(f"  R^2 of {name:6} from the full image {r_squared(full, sets, factor):.3f}, "
              f"from the eyes cut out of it {r_squared(eyes, sets, factor):.3f}")


if __name__ == "__main__":
    main()
