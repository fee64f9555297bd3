"""The search before `mrvae train faces`: can an objective about the bits alone give each part of a face a bit?

It did not find one (docs/parts.md). A run appends one JSON line to docs/parts.jsonl.

    python benchmarks/parts.py                                              the best single run of the search
    python benchmarks/parts.py seed=1 n_bits=8 pose.rotation=40             settings of `Settings`, as TOML
    python benchmarks/parts.py decoder=true lambda_kept=30 lambda_shared=30
    python benchmarks/parts.py supervised=true n_bits=8                     with labels: the most that can be reached

The idea: a bit that means one thing survives a change of pose T and tells nothing of the other bits. Draw two changes
of pose, T and T', of every image of a batch, and let M_jk = I(b_j(Tx); b_k(T'x)), in nats, be what bit j of one copy
tells of bit k of the other. The objective rewards the diagonal of this matrix and charges the rest. Bits fall silent
under that charge unless each is on for half of the images, so their log-odds are standardised by a BatchNorm without
learned scale.

Labels are used only to score a run, unless it is `supervised`. A run takes a minute on one core. A run whose settings
have a line already is skipped; a killed run starts again. docs/parts.md says what was found.
"""

from __future__ import annotations

import argparse
import sys
import time
import tomllib
from itertools import combinations
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
from kept import DOCS, Line, Lines, rounded
from pydantic import Field, ValidationError, model_validator
from torch import Tensor, nn

from mrvae_lib.analysis.latent_report import matched_bits
from mrvae_lib.config import NonNegative, PoseConfig, Section, Widths
from mrvae_lib.data import ImageSet, load_dataset
from mrvae_lib.data.faces import PARTS, SIDE
from mrvae_lib.data.image_set import shuffled_batches
from mrvae_lib.errors import one_line
from mrvae_lib.model.frame import own_frame
from mrvae_lib.model.latents import concrete_bits, kl_normal, sample_normal
from mrvae_lib.model.networks import mlp_decoder, mlp_encoder
from mrvae_lib.objective import code_divergence, split_code_kl
from mrvae_lib.pose import random_pose

Count = Annotated[int, Field(ge=1)]
SHAPE = (1, SIDE, SIDE)
"""Of an image."""


class Pose(PoseConfig):
    """T, with the amounts of the best single run."""

    rotation: Annotated[float, Field(ge=0, le=180)] = 20.0
    shear: Annotated[float, Field(ge=0, le=1)] = 0.0
    shift: Annotated[float, Field(ge=0, le=1)] = 0.2
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.3


class Settings(Section):
    """One run; the defaults are those of the best single run so far, which had no decoder."""

    seed: int = 0
    limit: Count = 16_000
    epochs: Count = 12
    batch_size: Count = 512
    lr: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: NonNegative = 0.0
    n_bits: Annotated[int, Field(ge=len(PARTS), le=12)] = 10
    hidden: Widths = (512, 256)
    upright: bool = True
    """Whether the bits see each image in its upright frame."""
    even_light: bool = False
    """Whether the brightest point of each frame is made white."""
    cut: tuple[NonNegative, NonNegative] = (0, 0)
    """The least and greatest side, in pixels, of a patch that is exchanged with another image; zeros leave it out."""
    pose: Pose = Pose()
    gain: NonNegative = 6.0
    """What the standardised log-odds are multiplied by; 0 leaves the log-odds as the network gives them."""
    lambda_kept: NonNegative = 1.0
    lambda_shared: NonNegative = 1.0
    """The weights of the matrix M: the reward on its diagonal, and the charge on the rest."""
    lambda_information: NonNegative = 1.0
    lambda_aggregate: NonNegative = 0.0
    """This weight falls to 0 in the first third of the run."""
    lambda_consistency: NonNegative = 0.0
    decoder: bool = False
    """Whether a decoder draws each image as a sum of layers, one for the reals and one for each bit."""
    n_reals: Count = 6
    """Of the decoder."""
    supervised: bool = False
    """Whether each bit learns a part from its labels, in place of all the above."""

    @model_validator(mode="after")
    def _one_bit_for_each_label(self) -> Settings:
        if self.supervised and self.n_bits != len(PARTS):
            raise ValueError(f"n_bits must be {len(PARTS)} where supervised is true, got {self.n_bits}")
        return self


class BitEncoder(nn.Module):
    """Images (B, 1, 32, 32) in [0, 1] to log-odds of the bits (B, K)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.network = mlp_encoder(SHAPE, settings.n_bits, settings.hidden)
        if settings.gain:
            self.network.append(nn.BatchNorm1d(settings.n_bits, affine=False))

    def forward(self, x: Tensor) -> Tensor:
        if self.settings.upright:
            x = own_frame(x, "upright")[0]
        if self.settings.even_light:
            x = x / x.amax(dim=(1, 2, 3), keepdim=True).clamp_min(0.1)
        if self.training and max(self.settings.cut):
            x = with_foreign_patch(x, *self.settings.cut)
        return self.network(x) * (self.settings.gain or 1)


class LayeredModel(nn.Module):
    """Reals, and a decoder whose picture is a sum of layers: one that the reals draw, and one that each bit adds."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.reals = mlp_encoder(SHAPE, 2 * settings.n_reals, (512, 256))
        self.layers = mlp_decoder((1 + settings.n_bits, SIDE, SIDE), settings.n_reals, (128, 128))

    def neg_elbo(self, x: Tensor, bit_logits: Tensor) -> Tensor:
        """Reconstruction plus the KL of the reals, (B,) nats; concrete bits."""
        mu, logvar = self.reals(x).chunk(2, dim=1)
        bits = concrete_bits(bit_logits, 0.67)
        layers = self.layers(sample_normal(mu, logvar)).flatten(2)
        logits = layers[:, 0] + torch.einsum("bk,bkn->bn", bits - 0.5, layers[:, 1:])
        reconstruction = F.binary_cross_entropy_with_logits(logits, x.flatten(1), reduction="none").sum(dim=1)
        return reconstruction + kl_normal(mu, logvar).sum(dim=1)


def with_foreign_patch(x: Tensor, least: float, greatest: float) -> Tensor:
    """Each image with a random rectangle from another image of the batch; its sides lie between these, in pixels."""
    n, _, side, _ = x.shape
    height, width = least + (greatest - least) * torch.rand(2, n, 1, 1)
    down, across = side * torch.rand(2, n, 1, 1)
    places = torch.arange(side) + 0.5
    inside = ((places[:, None] - down).abs() < height / 2) & ((places - across).abs() < width / 2)
    return torch.where(inside[:, None], x.roll(1, dims=0), x)


def information_matrix(a: Tensor, b: Tensor) -> Tensor:
    """M, (K, K) nats: what bit j of one copy of the images tells of bit k of another, with both copies in both roles.

    Args:
        a, b: (B, K) probabilities that each bit is 1.
    """
    joint = torch.einsum("vnj,wnk->vwjk", torch.stack([1 - a, a]), torch.stack([1 - b, b])) / len(a)
    joint = (joint + joint.transpose(0, 1).transpose(2, 3)) / 2
    apart = joint.sum(dim=1, keepdim=True).clamp_min(1e-8) * joint.sum(dim=0, keepdim=True).clamp_min(1e-8)
    return (joint * (joint.clamp_min(1e-8).log() - apart.log())).sum(dim=(0, 1))


def bits_loss(settings: Settings, first: Tensor, second: Tensor, seen: Tensor, progress: float) -> Tensor:
    """What the bits of one batch cost, () nats.

    Args:
        first, second: (B, K) log-odds of the batch in two changes of pose.
        seen: (B, K) log-odds whose code should tell of the image.
    """
    matrix = information_matrix(first.sigmoid(), second.sigmoid())
    kept = matrix.trace()
    information, aggregate = split_code_kl(seen)
    return (settings.lambda_shared * (matrix.sum() - kept) - settings.lambda_kept * kept
            - settings.lambda_information * information.mean()
            + settings.lambda_aggregate * max(0, 1 - 3 * progress) * aggregate.mean()
            + settings.lambda_consistency * code_divergence(first, second).mean())


def train(settings: Settings, images: ImageSet) -> BitEncoder:
    """The encoder of the bits after a run."""
    torch.manual_seed(settings.seed)
    encoder = BitEncoder(settings)
    model = LayeredModel(settings) if settings.decoder else None
    weights = [*encoder.parameters(), *(model.parameters() if model else ())]
    optimizer = torch.optim.AdamW(weights, settings.lr, weight_decay=settings.weight_decay)
    steps = settings.epochs * max(1, len(images) // settings.batch_size)
    decay = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, 4 * (1 - (step + 1) / steps) + 0.05))
    pixels, labels = images.floats(), images.factors[:, :len(PARTS)].float()
    for _ in range(settings.epochs):
        for places in shuffled_batches(len(images), settings.batch_size, torch.default_generator):
            x = pixels[places]
            first = encoder(random_pose(x, settings.pose))
            if settings.supervised:
                loss = F.binary_cross_entropy_with_logits(first, labels[places])
            else:
                second = encoder(random_pose(x, settings.pose))
                seen = encoder(x) if model else first
                loss = bits_loss(settings, first, second, seen, decay.last_epoch / steps)
                if model:
                    loss = loss + model.neg_elbo(x, seen).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            decay.step()
    return encoder.eval()


@torch.no_grad()
def scores(encoder: BitEncoder, test: ImageSet) -> Line:
    """How often a bit agrees with each part, when each part gets a bit of its own, and what each bit stands for."""
    x, parts = test.floats(), test.factors[:, :len(PARTS)].bool()
    logits = encoder(x)
    matched = matched_bits((logits > 0).numpy(), parts.numpy())[1].tolist()
    kept = information_matrix(logits.sigmoid(), encoder(random_pose(x, encoder.settings.pose)).sigmoid()).diagonal()
    return rounded({"mean": sum(matched) / len(matched), "worst": min(matched),
                    "parts": dict(zip(PARTS, matched, strict=True)), "kept": kept.tolist(),
                    "bits": meanings(logits > 0, test)})


def meanings(bits: Tensor, test: ImageSet) -> list[dict[str, float]]:
    """For each of the bits (N, K), its correlation with the two things it is most correlated with.

    A thing is a way of looking, a part, or an exclusive or of parts, such as `beard xor tie`.
    """
    subsets = [list(subset) for size in range(1, len(PARTS) + 1) for subset in combinations(range(len(PARTS)), size)]
    parts = test.factors[:, :len(PARTS)]
    things = [*(parts[:, subset].sum(dim=1) % 2 for subset in subsets), *test.factors[:, len(PARTS):].T]
    names = [*(" xor ".join(PARTS[i] for i in subset) for subset in subsets), *test.factor_names[len(PARTS):]]
    table = standardised(bits.float()).T @ standardised(torch.stack(things, dim=1).float()) / len(bits)
    return [{names[i]: float(row[i]) for i in row.abs().topk(2).indices} for row in table]


def standardised(columns: Tensor) -> Tensor:
    """Each column (N, F) with mean 0 and variance 1; a constant column becomes 0."""
    return (columns - columns.mean(dim=0)) / columns.std(dim=0).clamp_min(1e-6)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("settings", nargs="*", metavar="key=value")
    parser.add_argument("--out", type=Path, default=DOCS / "parts.jsonl", help="the file that gets the line")
    asked = parser.parse_args()
    try:
        settings = Settings.model_validate(tomllib.loads("\n".join(asked.settings)))
    except tomllib.TOMLDecodeError as error:
        sys.exit(f"{' '.join(asked.settings)}: settings must be key=value with a TOML value: {error}")
    except ValidationError as error:
        sys.exit(one_line(error, Settings))
    lines, key = Lines(asked.out), {"settings": settings.model_dump(mode="json")}
    if line := lines.find(key):
        sys.exit(f"this run is in {asked.out} already: mean {line['mean']}, worst part {line['worst']}")
    torch.set_num_threads(1)
    images, test = load_dataset("faces", "train").first(settings.limit), load_dataset("faces", "test")
    began = time.process_time()
    encoder = train(settings, images)
    seconds = round(time.process_time() - began)
    lines.add({**key, **scores(encoder, test), "cpu_seconds": seconds})


if __name__ == "__main__":
    main()
