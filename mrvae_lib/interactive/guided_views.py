"""Guided views: each changes what is shown in one way, and says what that proves with a number from the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.interactive.explorer_state import ExplorerContent, ExplorerState, decode_state
from mrvae_lib.model.vae import MRVAE

View = tuple[ExplorerState, str]
"""A view and the sentence that it proves."""


def guided_views(model: MRVAE, content: ExplorerContent) -> dict[str, Callable[[ExplorerState], View]]:
    """What can be shown of a model, by name; each is made from the view it starts from."""
    shared_code = len({start.b for start in content.starts}) < len(content.starts)
    unused = any(kl < 0.05 for kl in content.kl_of_real)
    views = [("same hand, another code", other_code, model.n_bits > 0),
             ("same code, another hand", other_hand, model.n_bits > 0 and shared_code),
             ("one real, end to end", strongest_real, model.n_reals > 0),
             ("all reals at 0", all_at_zero, model.n_reals > 0),
             ("a real that is not used", unused_real, unused)]
    return {name: partial(make, model, content) for name, make, possible in views if possible}


def other_code(model: MRVAE, content: ExplorerContent, start: ExplorerState) -> View:
    """The one bit whose flip changes the picture most."""
    flips = [start.with_bit(k, 1 - bit) for k, bit in enumerate(start.b)]
    state = max(flips, key=lambda flip: change(model, start, flip).mean())
    return state, f"Only b{flips.index(state)} was flipped, from {start.code} to {state.code}; every real stays."


def other_hand(model: MRVAE, content: ExplorerContent, start: ExplorerState) -> View:
    """The reals of the example with the same code whose picture differs most."""
    alike = [replace(start, z=view.z) for view in content.starts if view.b == start.b and view.z != start.z]
    if not alike:
        return start, f"No other example has the code {start.code}; walk to one that shares its code."
    state = max(alike, key=lambda view: change(model, start, view).mean())
    return state, (f"Both have the code {start.code}; the reals alone move a pixel by "
                   f"{change(model, start, state).mean():.0f} of 255 on average.")


def strongest_real(model: MRVAE, content: ExplorerContent, start: ExplorerState) -> View:
    """The most informative real at the end of its sweep that is further away."""
    i = next(iter(content.reals), 0)
    state = start.with_real(i, SWEEP[0] if start.z[i] > 0 else SWEEP[1])
    return state, f"Only z{i} went from {start.z[i]:+.1f} to {state.z[i]:+.1f}; every other real and every bit stays."


def all_at_zero(model: MRVAE, content: ExplorerContent, start: ExplorerState) -> View:
    """What is left when the reals say nothing."""
    state = replace(start, z=(0.0,) * model.n_reals)
    return state, "All reals are at 0, the middle of the prior: this is what is left when they say nothing."


def unused_real(model: MRVAE, content: ExplorerContent, start: ExplorerState) -> View:
    """The real with the least information at the end of its sweep."""
    i = int(np.argmin(content.kl_of_real))
    state = start.with_real(i, SWEEP[1])
    return state, (f"z{i} tells {content.kl_of_real[i]:.3f} nats: moved to {state.z[i]:+.1f}, it changes no "
                   f"pixel by more than {change(model, start, state).max()} of 255.")


def change(model: MRVAE, one: ExplorerState, other: ExplorerState) -> np.ndarray:
    """How much each pixel differs between two views, 0 to 255."""
    return np.abs(decode_state(model, one).astype(int) - decode_state(model, other))
