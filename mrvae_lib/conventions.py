"""What a project's beta multiplies: from its loss to ours, sum over pixels + beta * sum over latents, nats per image.

Every project weighs the two terms by sums or means of its own, so one number means many things. Written with our terms,
both per image, any of these losses is `a * reconstruction + beta * b * KL`; divided by a it is ours at
`beta_eff = beta * b / a`. The weight gamma of a capacity form converts alike.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Convention = Literal["per-image", "batch-sum", "kl-batch-mean", "dataset-size", "joint-vae"]
ImageShape = tuple[int, int, int]

CONVENTIONS: dict[Convention, str] = {
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


class Source(BaseModel):
    """What a preset was taken from and what its beta meant there: the [source] table of a configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    project: str = ""
    beta: Annotated[float, Field(ge=0)]
    """As stated there; the gamma of a capacity form counts as one."""
    convention: Convention
    batch_size: Annotated[int, Field(ge=1)]
    n_images: Annotated[int, Field(ge=1)] | None = None
    """Training images there, where known; only `dataset-size` needs them."""
    white: Annotated[float, Field(gt=0, le=1)] = 1
    """The value of a white pixel there: cross entropy gains about in proportion, so our beta is as much larger."""

    @model_validator(mode="after")
    def _can_be_converted(self) -> Source:
        if self.convention == "dataset-size" and self.n_images is None:
            raise ValueError("source.n_images is missing: the convention 'dataset-size' needs it")
        return self

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
            "dataset-size": (1 / n_pixels, batch / (self.n_images or 1)),
            "joint-vae": (1 / n_pixels, image_shape[0] / n_pixels),
        }
        return table[self.convention]

    def beta_eff(self, image_shape: ImageShape) -> float:
        """The beta of our loss that trains as the source's did, for images (C, H, W)."""
        reconstruction, kl = self.weights(image_shape)
        return self.beta * kl / reconstruction / self.white


def beta_norm(beta: float, n_reals: int, image_shape: ImageShape) -> float:
    """Our beta per real and pixel, beta * M / N: comparable between image sizes.

    Args:
        beta: of our loss, `beta_eff`. n_reals: M. image_shape: (C, H, W), N in all.
    Source: Higgins et al., beta-VAE (2017), section 4.2.
    """
    return beta * n_reals / math.prod(image_shape)
