"""What a project's beta multiplies, converted to the beta of our loss.

Our loss is the reconstruction plus beta times the KL, both per image in nats, pixels and latents summed. Every project
weighs the two terms by sums or means of its own, so one number means many things. Written with our terms, any of these
losses is `a * reconstruction + beta * b * KL`. Divided by `a` it is our loss with `beta_eff = beta * b / a`. The weight
gamma of a capacity form converts in the same way.
"""

import math

from mrvae_lib.config import SourceConfig

CONVENTIONS = {
    "per-image": "both terms per image: pixels and latents summed, the batch averaged",
    "batch-sum": "both terms summed over the batch as well",
    "kl-batch-mean": "reconstruction summed over the batch, KL averaged over it",
    "dataset-size": "reconstruction averaged over pixels, KL times batch size / training images",
    "joint-vae": "reconstruction averaged over pixels and channels, KL divided by height * width",
}
"""What each convention does to the two terms.

Users: `per-image` miyosuda, AndrewSpano, 1Konny and this library; `batch-sum` DejasDejas/MR_VAE, and Near32 on MNIST;
`kl-batch-mean` Near32 on dSprites and XYS; `dataset-size` AxelNathanson; `joint-vae` Schlumberger.
"""


def weights(source: SourceConfig, image_shape: tuple[int, int, int]) -> tuple[float, float]:
    """The factors a and b of a source's loss, `a * reconstruction + beta * b * KL`, for images (C, H, W)."""
    n_pixels, batch = math.prod(image_shape), source.batch_size
    return {
        "per-image": (1, 1),
        "batch-sum": (batch, batch),
        "kl-batch-mean": (batch, 1),
        "dataset-size": (1 / n_pixels, batch / (source.n_images or 1)),
        "joint-vae": (1 / n_pixels, image_shape[0] / n_pixels),
    }[source.convention]


def beta_eff(source: SourceConfig, image_shape: tuple[int, int, int]) -> float:
    """The beta of our loss that trains as the source's did, for images (C, H, W)."""
    reconstruction, kl = weights(source, image_shape)
    return source.beta * kl / reconstruction / source.white


def beta_norm(beta: float, n_reals: int, image_shape: tuple[int, int, int]) -> float:
    """Our beta times reals over pixels (C * H * W), which can be compared between image sizes.

    Source: Higgins et al., beta-VAE (2017), section 4.2.
    """
    return beta * n_reals / math.prod(image_shape)
