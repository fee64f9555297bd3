"""Named views: each changes what is shown in one way, and says what that proves with a number from the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.interactive.state import ExplorerContent, ExplorerState, decode_state
from mrvae_lib.model.vae import MRVAE


@dataclass(frozen=True)
class NamedView:
    """A view and the sentence that it proves."""

    sentence: str
    state: ExplorerState


Maker = Callable[[MRVAE, ExplorerContent, ExplorerState], NamedView]


def named_views(model: MRVAE, content: ExplorerContent) -> dict[str, Maker]:
    """What can be shown of a model, by name; each is made from the view it starts from."""
    with_bits: dict[str, Maker] = {"same hand, another code": other_code}
    if len({start.b for start in content.starts}) < len(content.starts):
        with_bits["same code, another hand"] = other_hand
    with_reals: dict[str, Maker] = {"one real, end to end": strongest_real, "all reals at 0": all_at_zero}
    if any(kl < 0.05 for kl in content.kl_of_real):
        with_reals["a real that is not used"] = unused_real
    return (with_bits if model.n_bits else {}) | (with_reals if model.n_reals else {})


def other_code(model: MRVAE, content: ExplorerContent, start: ExplorerState) -> NamedView:
    """The one bit whose flip changes the picture most."""
    flips = [start.with_bit(k, 1 - bit) for k, bit in enumerate(start.b)]
    state = max(flips, key=lambda flip: change(model, start, flip).mean())
    bit = flips.index(state)
    before, after = (content.classes.get(view.code, "") for view in (start, state))
    becomes = f"; by their codes a {before} became a {after}" if before and after and before != after else ""
    return NamedView(f"Only b{bit} was flipped, from {start.code} to {state.code}; every real stays{becomes}.", state)


def other_hand(model: MRVAE, content: ExplorerContent, start: ExplorerState) -> NamedView:
    """The reals of the example with the same code whose picture differs most."""
    alike = [replace(start, z=view.z) for view in content.starts if view.b == start.b and view.z != start.z]
    if not alike:
        return NamedView(f"No other example has the code {start.code}; walk to one that shares its code.", start)
    state = max(alike, key=lambda view: change(model, start, view).mean())
    shift = change(model, start, state).mean()
    return NamedView(f"Both have the code {start.code}; the reals alone move a pixel by {shift:.0f} of 255 on average.",
                     state)


def strongest_real(model: MRVAE, content: ExplorerContent, start: ExplorerState) -> NamedView:
    """The most informative real at the end of its sweep that is further away."""
    i = next(iter(content.reals), 0)
    state = start.with_real(i, SWEEP[0] if start.z[i] > 0 else SWEEP[1])
    return NamedView(f"Only z{i} went from {start.z[i]:+.1f} to {state.z[i]:+.1f}; "
                     + (f"the code is still {state.code}." if model.n_bits else "all other reals stay."), state)


def all_at_zero(model: MRVAE, content: ExplorerContent, start: ExplorerState) -> NamedView:
    """What is left when the reals say nothing."""
    state = replace(start, z=(0.0,) * model.n_reals)
    told = f"the code {start.code} says alone" if model.n_bits else "every picture has in common"
    return NamedView(f"All reals are at 0, the middle of the prior: this is what {told}.", state)


def unused_real(model: MRVAE, content: ExplorerContent, start: ExplorerState) -> NamedView:
    """The real with the least information at the end of its sweep."""
    i = int(np.argmin(content.kl_of_real))
    state = start.with_real(i, SWEEP[1])
    shift = change(model, start, state).max()
    return NamedView(f"z{i} tells {content.kl_of_real[i]:.3f} nats: moved to {state.z[i]:+.1f}, it changes no pixel by "
                     f"more than {shift} of 255.", state)


def change(model: MRVAE, one: ExplorerState, other: ExplorerState) -> np.ndarray:
    """How much each pixel differs between two views, 0 to 255."""
    return np.abs(decode_state(model, one).astype(int) - decode_state(model, other))

