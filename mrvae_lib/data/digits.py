"""The real handwritten digits that come with scikit-learn: the data set that is always there."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from mrvae_lib.data.image_set import ImageSet

N_TRAIN = 1437
DIGIT_NAMES = tuple("0123456789")


def load_digits(name: str, split: str) -> ImageSet:
    """1,797 real handwritten digits of 8x8 pixels, shown at 32x32: the first 1,437 to train on, the last 360 to test.

    The file is in the order it was collected, so most writers of the test digits were never seen in training.
    Source: Alpaydin and Kaynak, UCI Optical Recognition of Handwritten Digits (1998); bundled with scikit-learn.
    """
    from sklearn.datasets import load_digits as bundled_digits

    pixels, labels = bundled_digits(return_X_y=True)
    part = slice(None, N_TRAIN) if split == "train" else slice(N_TRAIN, None)
    small = torch.from_numpy(pixels[part]).float().reshape(-1, 1, 8, 8) / 16
    large = F.interpolate(small, size=32, mode="bicubic", align_corners=False).clamp(0, 1)
    return ImageSet(name, large.mul(255).round().byte(), torch.from_numpy(labels[part]).long(), DIGIT_NAMES)
