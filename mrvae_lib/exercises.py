"""Checks for the notebooks' exercises: they say what is right or missing and never stop a Run All."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def check(answer: Callable[..., Any], *cases: tuple[tuple[Any, ...], Any], hint: str, atol: float = 1e-4) -> None:
    """Call an answer on every case and print whether it gives what is expected; never raises.

    Args:
        answer: the learner's function.
        cases: each the arguments, and a number, array, tensor, text or list that is expected, or a predicate that
            takes the result and says whether it is right.
        hint: shown when a result is wrong, and not before anything was tried.
    """
    for args, expected in cases:
        try:
            result = answer(*args)
            if result is None or result is ...:
                print(f"Not yet: {answer.__name__} returns nothing so far. Write it above, then run this cell again.")
                return
            if expected(result) if callable(expected) else _agrees(result, expected, atol):
                continue
            said = f"gives {_short(result)}"
        except Exception as error:  # a learner's half-written function may fail in any way
            said = f"raised {type(error).__name__}: {error}"
        print(f"Not yet: {answer.__name__}({', '.join(map(_short, args))}) {said}. Hint: {hint}")
        return
    print(f"Right: {answer.__name__} is right in {len(cases)} cases." if len(cases) > 1 else
          f"Right: {answer.__name__} gives {_short(result)}.")


def _agrees(result: Any, expected: Any, atol: float) -> bool:
    try:
        ours, theirs = np.asarray(result, dtype=float), np.asarray(expected, dtype=float)
    except (TypeError, ValueError):
        return bool(result == expected)
    return ours.shape == theirs.shape and bool(np.allclose(ours, theirs, atol=atol, rtol=1e-4))


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (np.ndarray, torch.Tensor)):
        shown = f"an array of shape {tuple(value.shape)}"
        return shown if np.prod(value.shape) > 8 else str(value.tolist())
    text = str(value)
    return text if len(text) <= 60 else f"a {type(value).__name__}"
