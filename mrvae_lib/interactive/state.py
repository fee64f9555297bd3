"""What the explorer shows, as plain values, and how they become a picture. No widgets here."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mrvae_lib.analysis.encoding import encode_set, encoded_examples, informative_reals
from mrvae_lib.analysis.sheets import png_bytes
from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.config import MAX_TABLE_BITS
from mrvae_lib.data.imageset import ImageSet
from mrvae_lib.model.codes import CodeTable, code_name
from mrvae_lib.model.vae import MRVAE

STEP = 0.1
"""Between two positions of a slider."""
N_MEASURED = 2000
"""Images on which the latents of a model without a card are measured."""


@dataclass(frozen=True)
class ExplorerState:
    """One view: the reals, the bits, and the example they started from."""

    z: tuple[float, ...]
    b: tuple[int, ...]
    example: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "z", tuple(float(value) for value in self.z))
        object.__setattr__(self, "b", tuple(int(bit) for bit in self.b))
        if not set(self.b) <= {0, 1}:
            raise ValueError(f"state: bits must be 0 or 1, got {self.b}")

    @classmethod
    def from_latents(cls, z: Tensor, b: Tensor, example: int | None = None) -> ExplorerState:
        """The view at z (D,) and b (K,)."""
        return cls(tuple(z.tolist()), tuple(int(bit) for bit in b.tolist()), example)

    @classmethod
    def from_json(cls, text: str) -> ExplorerState:
        """The view written by `to_json`.

        Raises:
            ValueError: not such a text; says what was expected.
        """
        try:
            fields = json.loads(text)
            return cls(tuple(fields["z"]), tuple(fields["b"]), fields.get("example"))
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f'state: expected {{"z": [...], "b": [...], "example": n or null}}, '
                             f"got {text!r} ({error})") from None

    def to_json(self) -> str:
        """The view as text, to be kept or shared."""
        return json.dumps(asdict(self))

    def with_real(self, i: int, value: float) -> ExplorerState:
        """The view with one real moved."""
        return replace(self, z=(*self.z[:i], float(value), *self.z[i + 1 :]))

    def with_bit(self, k: int, value: int) -> ExplorerState:
        """The view with one bit set."""
        return replace(self, b=(*self.b[:k], int(value), *self.b[k + 1 :]))

    @property
    def code(self) -> str:
        """The bits as text, b0 first."""
        return code_name(torch.tensor(self.b))


@torch.inference_mode()
def decode_state(model: MRVAE, state: ExplorerState) -> np.ndarray:
    """The picture of a view, (H, W) or (H, W, 3) uint8."""
    z = torch.tensor([state.z], dtype=torch.float32).reshape(1, len(state.z))
    b = torch.tensor([state.b], dtype=torch.float32).reshape(1, len(state.b))
    picture = model.decode(z, b)[0].mul(255).round().byte().permute(1, 2, 0).numpy()
    return picture[:, :, 0] if picture.shape[2] == 1 else picture


def inline_image(picture: np.ndarray, *, alt: str, width: int) -> str:
    """A uint8 picture as an <img> that carries its own data; the browser scales it without smoothing."""
    data = base64.b64encode(png_bytes(picture)).decode()
    height = round(width * picture.shape[0] / picture.shape[1])
    return (f'<img alt="{alt}" width="{width}" height="{height}" '
            f'style="image-rendering:pixelated;border-radius:4px" src="data:image/png;base64,{data}">')


@dataclass(frozen=True)
class ExplorerContent:
    """What there is to explore in a model: the controls with their labels, and where to start from."""

    starts: tuple[ExplorerState, ...]
    labels: tuple[str, ...]
    """The class of each start, where known; else empty."""
    reals: dict[int, str]
    """The reals worth a slider, most informative first, and what to write beside it."""
    bits: tuple[str, ...]
    """What to say of each bit."""


def explorer_content(model: MRVAE, images: ImageSet | None = None) -> ExplorerContent:
    """The content for a model: from its card and examples, or from images where it has none.

    With neither, every real gets a slider without a figure and the start is the middle of the prior.
    """
    examples, names = model.examples, tuple(model.card.get("label_names", ()))
    if images is not None:
        examples, names = encoded_examples(model, images), images.label_names
    if not examples:
        examples = {"mu": torch.zeros(1, model.n_reals), "bits": torch.zeros(1, model.n_bits)}
    kl_of_real, bit_information = _what_latents_tell(model, images)
    shown = informative_reals(kl_of_real) if kl_of_real else range(model.n_reals)
    labels = examples["label"].tolist() if "label" in examples else []
    return ExplorerContent(
        starts=tuple(
            ExplorerState.from_latents(_on_slider(mu), bits, i)
            for i, (mu, bits) in enumerate(zip(examples["mu"].float(), examples["bits"].float(), strict=True))
        ),
        labels=tuple(names[label] if names else str(label) for label in labels),
        reals={i: f"z{i}" + (f" · {kl_of_real[i]:.2f} nats" if kl_of_real else "") for i in shown},
        bits=tuple(f"bit {k}" + (f", {bit_information[k]:.2f} nats" if bit_information else "")
                   for k in range(model.n_bits)),
    )


def _on_slider(mu: Tensor) -> Tensor:
    """The nearest values that sliders can show, so that the picture is always the one of the readout."""
    return mu.clamp(*SWEEP).div(STEP).round().mul(STEP)


def _what_latents_tell(model: MRVAE, images: ImageSet | None) -> tuple[Sequence[float], Sequence[float]]:
    """KL of each real and information of each bit, in nats: from the card, else measured, else unknown (empty)."""
    scores = model.card.get("scores")
    if scores:
        return scores["kl_of_real"], scores["information_of_bit"]
    if images is None:
        return (), ()
    posterior = encode_set(model, images.first(N_MEASURED))
    of_bits = CodeTable.from_logits(posterior.bit_logits).bit_information if model.n_bits <= MAX_TABLE_BITS else None
    return posterior.kl_reals().mean(dim=0).tolist(), of_bits.tolist() if of_bits is not None else ()
