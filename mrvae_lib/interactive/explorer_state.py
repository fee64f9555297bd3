"""What the explorer shows, as plain values: how they become a picture, and named views. No widgets here."""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch

from mrvae_lib.analysis import evaluation
from mrvae_lib.analysis.pictures import as_picture
from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.data import ImageSet, load_dataset
from mrvae_lib.model.codes import bit_information
from mrvae_lib.model.vae import MRVAE

STEP = 0.1
"""Between two positions of a slider."""
MAX_LATTICE_BITS = 6
"""Up to this many bits, the pictures of all codes are shown."""
N_MEASURED = 2000
"""Images on which the latents of a model without a card are measured."""


@dataclass(frozen=True)
class ExplorerState:
    """One view: the reals, each moved to the nearest position of a slider, the bits, and the example they started from.

    Raises:
        ValueError: a real is not a finite number, a bit not 0 or 1, or the example neither a whole number nor None.
    """

    z: tuple[float, ...]
    b: tuple[int, ...]
    example: int | None = None

    def __post_init__(self) -> None:
        reals_fit = all(type(value) in (int, float) and abs(value) < float("inf") for value in self.z)
        bits_fit = all(type(bit) is int and bit in (0, 1) for bit in self.b)
        example_fits = self.example is None or (type(self.example) is int and self.example >= 0)
        if not (reals_fit and bits_fit and example_fits):
            raise ValueError(f"state: expected finite reals, bits of 0 or 1, an example's number or None, got {self}")
        object.__setattr__(self, "z", tuple(map(on_slider, self.z)))
        object.__setattr__(self, "b", tuple(self.b))

    @classmethod
    def from_json(cls, text: str) -> "ExplorerState":
        """The view written by `to_json`.

        Raises:
            ValueError: not such a text; says what was expected.
        """
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError, RecursionError, OverflowError):
            raise ValueError(f'state: expected {{"z": [finite numbers], "b": [each 0 or 1], "example": a whole number '
                             f'or null}}, got {text!r}') from None

    def to_json(self) -> str:
        """The view as text, to be kept or shared."""
        return json.dumps(asdict(self))

    def with_real(self, i: int, value: float) -> "ExplorerState":
        """The view with one real moved."""
        return replace(self, z=(*self.z[:i], value, *self.z[i + 1 :]))

    def with_bit(self, k: int, value: int) -> "ExplorerState":
        """The view with one bit set."""
        return replace(self, b=(*self.b[:k], value, *self.b[k + 1 :]))

    @property
    def code(self) -> str:
        """The bits as text, b0 first."""
        return "".join(map(str, self.b))


def code_views(state: ExplorerState) -> list[ExplorerState]:
    """Every code at the same reals, in the order of `all_codes`; none where there are no bits, or too many to show."""
    n_bits = len(state.b)
    return [replace(state, b=code) for code in product((0, 1), repeat=n_bits)] if 0 < n_bits <= MAX_LATTICE_BITS else []


@torch.inference_mode()
def decode_states(model: MRVAE, states: Sequence[ExplorerState]) -> torch.Tensor:
    """The pictures of views, (N, C, H, W) in [0, 1]."""
    return model.decode(torch.tensor([state.z for state in states]), torch.tensor([state.b for state in states]))


def decode_state(model: MRVAE, state: ExplorerState) -> np.ndarray:
    """The picture of a view, (H, W) or (H, W, 3) uint8."""
    return as_picture(decode_states(model, [state])[0])


def on_slider(value: float) -> float:
    """The nearest value that a slider can show, so that a picture is that of the readout."""
    low, high = SWEEP
    return round(min(max(value, low), high) / STEP) / round(1 / STEP) + 0.0  # + 0.0 turns -0.0 into 0.0


@dataclass(frozen=True)
class ExplorerContent:
    """What there is to explore in a model: the controls with their labels, and where to start from."""

    starts: tuple[ExplorerState, ...]
    classes: tuple[str, ...]
    """The class of each start, where known; else empty."""
    reals: dict[int, tuple[str, str]]
    """The reals worth a slider, most informative first: what stands beside it, and how well a name fits that real."""
    bits: dict[int, tuple[str, ...]]
    """The bits worth a button: those that carry something or have a name, or all if none does. What is known of each:
    its name; its nats; the classes it swaps. A bit that means one thing is called after it; its number comes second."""
    class_of_code: dict[str, str]
    """The commonest class of each code, as far as the starts tell; by `ExplorerState.code`."""


def explorer_content(model: MRVAE, images: ImageSet | None = None) -> ExplorerContent:
    """The content for a model: from its card and examples, or from images where they are given.

    With neither, every real gets a slider without a figure and the start is the middle of the prior.
    """
    known, scores = model.card, model.card.get("scores", {})
    kl_of_real, of_bits = scores.get("kl_of_real", []), scores.get("information_of_bit", [])
    examples = model.examples or {"mu": torch.zeros(1, model.n_reals), "bits": torch.zeros(1, model.n_bits)}
    if images is not None:
        known, examples = vars(images), evaluation.encoded_examples(model, images)
        if not scores:
            codes = evaluation.encode_set(model, images.first(N_MEASURED))
            kl_of_real, of_bits = codes.kl_reals().mean(dim=0).tolist(), bit_information(codes.bit_logits).tolist()
    mu, bits, labels = examples["mu"].float(), examples["bits"].float(), examples.get("label", torch.empty(0)).int()
    names = known.get("label_names") or [str(label) for label in range(1 + max(labels.tolist(), default=-1))]
    counts = evaluation.labels_of_codes(bits, labels) if len(labels) else {}
    measured = {int(i): name for i, name in model.card.get("names_of_reals", {}).items()}
    fits = {i: f"{name} explains {100 * r2:.0f} % of the variance of z{i} (R²)" for i, (name, r2) in measured.items()}
    meant = {int(k): name for k, name in model.card.get("names_of_bits", {}).items()}
    telling = sorted({*evaluation.informative_latents(of_bits), *meant})
    return ExplorerContent(
        starts=tuple(map(ExplorerState, mu.tolist(), bits.int().tolist(), range(len(mu)))),
        classes=tuple(names[label] for label in labels),
        reals={i: (" · ".join(_label(f"z{i}", kl_of_real, i, measured.get(i, [""])[0])), fits.get(i, ""))
               for i in (evaluation.informative_latents(kl_of_real) if kl_of_real else range(model.n_reals))},
        bits={k: (*meant.get(k, ())[:1],
                  *_label(f"b{k}", of_bits, k, _commonest(evaluation.bit_swaps(counts, model.n_bits, k), names)))
              for k in telling or range(model.n_bits)},
        class_of_code={format(code, f"0{model.n_bits}b"): names[count.most_common(1)[0][0]]
                       for code, count in counts.items() if model.n_bits},
    )


def fitted_images(model: MRVAE, given: Any) -> ImageSet:
    """Whatever `load_dataset` takes, also the path of one picture, in a model's own size, colours and polarity."""
    channels, side, _ = model.image_shape
    images = load_dataset(given, size=side, fit="pad", channels="grey" if channels == 1 else "colour")
    if model.examples:
        own = decode_states(model, explorer_content(model).starts)
        theirs, ours = (bool(x[:, :, [0, -1]].median() > 0.5) for x in (images.floats(), own))
        if theirs != ours:  # dark on light, where the model knows light on dark
            warnings.warn("light and dark exchanged, as the model knows them", stacklevel=3)
            images = replace(images, images=255 - images.images)
    return images


def _label(name: str, nats: Sequence[float], place: int, meaning: str) -> tuple[str, ...]:
    """What is known of a latent: its name; its nats; the factor a real moves, or the classes a bit swaps."""
    return tuple(filter(None, (name, f"{nats[place]:.2f} nats" if nats else "", meaning)))


def _commonest(swaps: list[tuple[int, int]], names: Sequence[str]) -> str:
    """The commonest swap, and the next where names are short."""
    n_shown = 2 if all(len(names[label]) < 3 for pair in swaps for label in pair) else 1
    return ", ".join(f"{names[off]} ↔ {names[on]}" for off, on in swaps[:n_shown])


View = tuple[ExplorerState, str]
"""A view and the sentence that it proves."""


def guided_views(model: MRVAE) -> Mapping[str, Callable[[MRVAE, ExplorerContent, ExplorerState], View]]:
    """What can be shown of a model, by name: from the view it starts from, a view and the sentence that it proves."""
    of_bits = {"same hand, another code": other_code, "same code, another hand": other_hand}
    of_reals = {"one real, end to end": strongest_real, "all reals at 0": all_at_zero}
    return (of_bits if model.n_bits else {}) | (of_reals if model.n_reals else {})


def other_code(model: MRVAE, content: ExplorerContent, start: ExplorerState) -> View:
    """The one bit whose flip changes the picture most."""
    flips = [start.with_bit(k, 1 - bit) for k, bit in enumerate(start.b)]
    state = max(flips, key=lambda flip: change(model, start, flip))
    return state, f"Only b{flips.index(state)} was flipped, from {start.code} to {state.code}; every real stays."


def other_hand(model: MRVAE, content: ExplorerContent, start: ExplorerState) -> View:
    """The reals of the example with the same code whose picture differs most."""
    alike = [replace(start, z=view.z) for view in content.starts if view.b == start.b and view.z != start.z]
    if not alike:
        return start, f"No example with other reals has the code {start.code}."
    state = max(alike, key=lambda view: change(model, start, view))
    return state, (f"Both have the code {start.code}; the reals alone move a pixel by "
                   f"{change(model, start, state):.0f} of 255 on average.")


def strongest_real(model: MRVAE, content: ExplorerContent, start: ExplorerState) -> View:
    """The most informative real at the end of its sweep that is further away."""
    i = next(iter(content.reals), 0)
    state = start.with_real(i, SWEEP[0] if start.z[i] > 0 else SWEEP[1])
    return state, f"Only z{i} went from {start.z[i]:+.1f} to {state.z[i]:+.1f}; every other real and every bit stays."


def all_at_zero(model: MRVAE, content: ExplorerContent, start: ExplorerState) -> View:
    """What is left when the reals say nothing."""
    state = replace(start, z=(0.0,) * model.n_reals)
    return state, "All reals are at 0, the middle of the prior: this is what is left when they say nothing."


def change(model: MRVAE, one: ExplorerState, other: ExplorerState) -> float:
    """How much a pixel differs between two views, 0 to 255, on average."""
    return float(np.abs(decode_state(model, one).astype(int) - decode_state(model, other)).mean())
