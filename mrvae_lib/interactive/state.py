"""What the explorer shows, as plain values, and how they become a picture. No widgets here."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from html import escape

import numpy as np
import torch
from torch import Tensor

from mrvae_lib.analysis.encoding import encode_set, encoded_examples, informative_reals
from mrvae_lib.analysis.naming import bit_swaps, factors_of_reals, labels_of_codes
from mrvae_lib.analysis.pictures import png_bytes
from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.config import MAX_TABLE_BITS
from mrvae_lib.data.imageset import ImageSet
from mrvae_lib.model.codes import CodeTable
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

    def latents(self) -> tuple[Tensor, Tensor]:
        """z (D,) and b (K,) as the decoder takes them."""
        return torch.tensor(self.z, dtype=torch.float32), torch.tensor(self.b, dtype=torch.float32)

    @property
    def code(self) -> str:
        """The bits as text, b0 first."""
        return "".join(map(str, self.b))


@torch.inference_mode()
def decode_state(model: MRVAE, state: ExplorerState) -> np.ndarray:
    """The picture of a view, (H, W) or (H, W, 3) uint8."""
    z, b = state.latents()
    return as_picture(model.decode(z[None], b[None])[0].mul(255).round().byte())


def as_picture(pixels: Tensor) -> np.ndarray:
    """uint8 pixels (C, H, W) as a picture, (H, W) or (H, W, 3)."""
    picture = pixels.permute(1, 2, 0).numpy()
    return picture[:, :, 0] if picture.shape[2] == 1 else picture


def inline_image(picture: np.ndarray, *, alt: str, width: int) -> str:
    """A uint8 picture as an <img> that carries its own data; the browser scales it without smoothing."""
    height = round(width * picture.shape[0] / picture.shape[1])
    return (f'<img alt="{escape(alt)}" width="{width}" height="{height}" '
            f'style="image-rendering:pixelated;border-radius:4px" src="{data_uri(png_bytes(picture), "image/png")}">')


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as an address that holds them, for <img> and download links."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@dataclass(frozen=True)
class ExplorerContent:
    """What there is to explore in a model: the controls with their labels, and where to start from."""

    starts: tuple[ExplorerState, ...]
    labels: tuple[str, ...]
    """The class of each start, where known; else empty."""
    reals: dict[int, str]
    """The reals worth a slider, most informative first, and what to write beside it: name, KL, the factor it moves."""
    bits: tuple[str, ...]
    """What to say of each bit: name, information, the classes it swaps most often."""
    classes: dict[str, str]
    """The commonest class of each code, as far as the starts tell; by `ExplorerState.code`."""
    kl_of_real: tuple[float, ...]
    """(D,) nats; empty where unknown."""

    def of_class(self, name: str) -> list[int]:
        """The starts of one class, or all of them for ""."""
        return [i for i in range(len(self.starts)) if not name or self.labels[i] == name]


def explorer_content(model: MRVAE, images: ImageSet | None = None) -> ExplorerContent:
    """The content for a model: from its card and examples, or from images where it has none.

    With neither, every real gets a slider without a figure and the start is the middle of the prior.
    """
    examples = model.examples
    names, factor_names = (tuple(model.card.get(key, ())) for key in ("label_names", "factor_names"))
    if images is not None:
        examples = encoded_examples(model, images)
        names, factor_names = images.label_names, images.factor_names
    if not examples:
        examples = {"mu": torch.zeros(1, model.n_reals), "bits": torch.zeros(1, model.n_bits)}
    mu, bits, labels = examples["mu"].float(), examples["bits"].float(), examples.get("label", torch.empty(0))
    names = names or tuple(str(label) for label in range(int(labels.max()) + 1 if len(labels) else 0))
    kl_of_real, of_bits = _what_latents_tell(model, images)
    factors = factors_of_reals(mu, examples["factors"], factor_names) if "factors" in examples else [""] * model.n_reals
    counts = labels_of_codes(bits, labels) if len(labels) else {}
    return ExplorerContent(
        starts=tuple(ExplorerState.from_latents(z, b, i)
                     for i, (z, b) in enumerate(zip(on_slider(mu), bits, strict=True))),
        labels=tuple(names[int(label)] for label in labels),
        reals={i: _joined(f"z{i}", f"{kl_of_real[i]:.2f} nats" if kl_of_real else "", factors[i])
               for i in (informative_reals(kl_of_real) if kl_of_real else range(model.n_reals))},
        bits=tuple(_joined(f"b{k}", f"{of_bits[k]:.2f} nats" if of_bits else "",
                           _swaps([(names[off], names[on]) for off, on in bit_swaps(counts, model.n_bits, k)]))
                   for k in range(model.n_bits)),
        classes={format(code, f"0{model.n_bits}b"): names[count.most_common(1)[0][0]]
                 for code, count in counts.items() if model.n_bits},
        kl_of_real=tuple(kl_of_real),
    )


def on_slider(z: Tensor) -> Tensor:
    """The nearest values that sliders can show, so that the picture is always the one of the readout."""
    return z.double().clamp(*SWEEP).mul(1 / STEP).round().div(1 / STEP) + 0.0  # no -0


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _swaps(pairs: Sequence[tuple[str, str]]) -> str:
    """The commonest swap, and the next where names are short."""
    shown = pairs[: 2 if all(len(name) < 3 for pair in pairs for name in pair) else 1]
    return ", ".join(f"{off} ↔ {on}" for off, on in shown)


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
