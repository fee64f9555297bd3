"""XYS: one drawn face that looks around (x, y) and comes closer (scale); 900 images, every combination of factors once.

`tools/draw_xys.py` draws them and says what they re-create.
"""

from pathlib import Path

import numpy as np
import torch

from mrvae_lib.data.image_set import ImageSet

FILE = Path(__file__).parent / "xys.npz"
FACTORS: dict[str, tuple[float, ...]] = {
    "x": tuple(np.linspace(-1, 1, 15).tolist()),
    "y": tuple(np.linspace(-1, 1, 10).tolist()),
    "scale": tuple(np.linspace(58, 91, 6).tolist()),
}
"""What each index of each factor stands for: x from the picture's left to its right and y from up to down, 1 the
farthest this face looks; scale is the width of the head in pixels of 256."""
N_TRAIN = 720


def load_xys(name: str, split: str) -> ImageSet:
    """720 or 180 faces, with their factors.

    Args:
        name: `xys`, 3 channels of 64x64 (full image, right-eye patch, left-eye patch); `xys-full`, the full image
            alone; `xys-256`, the 3 channels at the size of the lost set, 256x256.
    """
    side = 256 if name == "xys-256" else 64
    factors = torch.cartesian_prod(*[torch.arange(len(values)) for values in FACTORS.values()])
    order = torch.randperm(len(factors), generator=torch.Generator().manual_seed(0))
    numbers = (order[:N_TRAIN] if split == "train" else order[N_TRAIN:]).sort().values.numpy()
    with np.load(FILE, allow_pickle=False) as arrays:
        channels = arrays[f"faces_{side}"][None, ..., numbers]
        if name != "xys-full":  # the eye patches are the same at every scale, the factor that changes fastest
            eyes = arrays[f"eyes_{side}"][..., numbers // len(FACTORS["scale"])]
            channels = np.concatenate([channels, eyes])
    images = torch.from_numpy(channels).permute(3, 0, 1, 2).contiguous()
    return ImageSet(name, images, factors=factors[numbers], factor_names=tuple(FACTORS))
