"""What a project's beta multiplies: from its loss to ours, sum over pixels + beta * sum over latents, nats per image.

Every project weighs the two terms by sums or means of its own, so one number means many things. Written with our terms,
both per image, any of these losses is `a * reconstruction + beta * b * KL`; divided by a it is ours at
`beta_eff = beta * b / a`. The weight gamma of a capacity form converts alike.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Convention = Literal["per-image", "batch-sum", "kl-batch-mean", "dataset-size", "joint-vae"]
ImageShape = tuple[int, int, int]

CONVENTIONS: dict[Convention, str] = {
    "per-image": "both terms summed over pixels and latents, averaged over the batch (Akella17 and miyosuda, "
                 "AndrewSpano, 1Konny; this library)",
    "batch-sum": "both terms summed over the batch as well (DejasDejas/MR_VAE; Near32 on MNIST)",
    "kl-batch-mean": "reconstruction summed over the batch, KL averaged over it (Near32 on dSprites and XYS)",
    "dataset-size": "reconstruction averaged over pixels, KL times batch size / number of images (AxelNathanson)",
    "joint-vae": "reconstruction averaged over pixels and channels, KL divided by the number of pixels (Schlumberger)",
}
"""What each convention does, and who uses it."""


class Source(BaseModel):
    """What a preset was taken from and what its beta meant there: the [source] table of a configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str = ""
    beta: Annotated[float, Field(ge=0)]
    """As stated there; the gamma of a capacity form counts as one."""
    convention: Convention
    batch_size: Annotated[int, Field(ge=1)]
    n_images: Annotated[int, Field(ge=1)]
    """Training images there."""

    def weights(self, image_shape: ImageShape) -> tuple[float, float]:
        """The source's weight of our reconstruction, and of beta times our KL: its loss is a * rec + beta * b * KL.

        Args:
            image_shape: (C, H, W).
        """
        n_pixels, batch = math.prod(image_shape), self.batch_size
        table: dict[Convention, tuple[float, float]] = {
            "per-image": (1, 1),
            "batch-sum": (batch, batch),
            "kl-batch-mean": (batch, 1),
            "dataset-size": (1 / n_pixels, batch / self.n_images),
            "joint-vae": (1 / n_pixels, image_shape[0] / n_pixels),
        }
        return table[self.convention]

    def beta_eff(self, image_shape: ImageShape) -> float:
        """The beta of our loss that trains as the source's did, for images (C, H, W)."""
        reconstruction, kl = self.weights(image_shape)
        return self.beta * kl / reconstruction


def beta_norm(beta: float, n_reals: int, image_shape: ImageShape) -> float:
    """Our beta per real and pixel, beta * M / N: comparable between image sizes.

    Args:
        beta: of our loss, `beta_eff`. n_reals: M. image_shape: (C, H, W), N in all.
    Source: Higgins et al., beta-VAE (2017), section 4.2.
    """
    return beta * n_reals / math.prod(image_shape)
