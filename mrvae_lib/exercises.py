"""Checks for the notebooks' exercises: they say what is right or missing and never stop a Run All."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def check(
    answer: Callable[..., Any], *, args: tuple[Any, ...] = (), expected: Any, hint: str, atol: float = 1e-4
) -> None:
    """Call an answer and print whether it gives what is expected; prints, returns nothing, never raises.

    Args:
        answer: the learner's function.
        args: what to call it with.
        expected: a number, array, tensor, text or a predicate that takes the result and says whether it is right.
        hint: shown when it is not.
    """
    try:
        result = answer(*args)
        if result is None or result is ...:
            said = "returns nothing so far"
        elif expected(result) if callable(expected) else _agrees(result, expected, atol):
            print(f"Right: {answer.__name__} gives {_short(result)}.")
            return
        else:
            said = f"gives {_short(result)}"
    except Exception as error:  # a learner's half-written function may fail in any way
        said = f"raised {type(error).__name__}: {error}"
    print(f"Not yet: {answer.__name__} {said}. Hint: {hint}")


def _agrees(result: Any, expected: Any, atol: float) -> bool:
    try:
        ours, theirs = np.asarray(result, dtype=float), np.asarray(expected, dtype=float)
    except (TypeError, ValueError):
        return bool(result == expected)
    return ours.shape == theirs.shape and bool(np.allclose(ours, theirs, atol=atol, rtol=1e-4))


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (np.ndarray, torch.Tensor)) and np.prod(value.shape) > 8:
        return f"an array of shape {tuple(value.shape)}"
    return str(value)
