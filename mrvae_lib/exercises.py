"""Checks for the notebooks' exercises: they say what is right or missing and never stop a Run All."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

WRONG_ANSWERS = Counter[str]()
"""How often each exercise, by the name of its function, was answered wrongly so far."""


def check(answer: Callable[..., Any], *cases: tuple[tuple[Any, ...], Any], hint: str, atol: float = 1e-4) -> None:
    """Call an answer on every case and print whether it gives what is expected; never raises.

    Args:
        answer: the learner's function.
        cases: each the arguments, and a number, array, tensor, text or list that is expected, or a predicate that
            takes the result and says whether it is right.
        hint: shown from the second wrong answer on.
    """
    name = answer.__name__
    for args, expected in cases:
        try:
            result = answer(*args)
            if result is None or result is ...:
                print(f"Not yet: {name} returns nothing so far. Write it above, then run this cell again.")
                return
            if expected(result) if callable(expected) else _agrees(result, expected, atol):
                continue
            said = f"gives {_short(result)}"
        except Exception as error:  # a learner's half-written function may fail in any way
            said = f"raised {type(error).__name__}: {error}"
        WRONG_ANSWERS[name] += 1
        helped = f" Hint: {hint}" if WRONG_ANSWERS[name] > 1 else ""
        print(f"Not yet: {name}({', '.join(map(_short, args))}) {said}.{helped}")
        return
    print(f"Right: {name} " + (f"is right in {len(cases)} cases." if len(cases) > 1 else f"gives {_short(result)}."))


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
