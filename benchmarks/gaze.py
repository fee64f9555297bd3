"""How well the factors of XYS can be read off its pixels by a linear regression, on combinations it never saw.

    python benchmarks/gaze.py
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.linear_model import LinearRegression
from torch import Tensor

from mrvae_lib.data import ImageSet, load_dataset
from mrvae_lib.data.xys import FACTORS
from tools.draw_xys import eye_boxes


def eye_crops(images: ImageSet, n_pixels: int = 16) -> Tensor:
    """Both eyes cut out of each full image and brought to one size, (N, 2, n_pixels, n_pixels) in [0, 1]."""
    crops = []
    for image, scale in zip(images.floats(), images.factors[:, 2].tolist(), strict=True):
        boxes = eye_boxes(FACTORS["scale"][scale], side=image.shape[-1])
        crops.append(torch.cat([F.interpolate(image[None, :1, top:bottom, left:right], size=n_pixels, mode="bilinear")
                                for left, top, right, bottom in boxes], dim=1))
    return torch.cat(crops)


def r_squared(pixels: tuple[Tensor, Tensor], sets: tuple[ImageSet, ImageSet], factor: int) -> float:
    """R^2 on the test split of a regression fitted on the training split."""
    train, test = (part.flatten(1) for part in pixels)
    values = [images.factors[:, factor] for images in sets]
    return LinearRegression().fit(train, values[0]).score(test, values[1])


def main() -> None:
    sets = load_dataset("xys-full", "train"), load_dataset("xys-full", "test")
    print(f"XYS, {len(sets[0])} + {len(sets[1])} images of 64x64")
    full, eyes = tuple(images.floats() for images in sets), tuple(map(eye_crops, sets))
    for factor, name in enumerate(sets[0].factor_names):
        print(f"  R^2 of {name:6} from the full image {r_squared(full, sets, factor):.3f}, "
              f"from the eyes cut out of it {r_squared(eyes, sets, factor):.3f}")


if __name__ == "__main__":
    main()
