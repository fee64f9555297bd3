"""What pydantic has to say against a table of settings, as one line: the key, the value and what is accepted."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

MAX_LETTERS = 600
"""Of an error that quotes what it received."""


from mrvae_lib.errors import ConfigError as ConfigError


def one_line(error: ValidationError, root: type[BaseModel]) -> str:
    """The first complaint, with the key's dotted name, the value and what would be accepted.

    Args:
        root: the model that was validated; a field's description, where it has one, says what it accepts.
    """
    return shortened(_complaint(error.errors()[0], root))


def shortened(message: str) -> str:
    """A message on one line and of bearable length, whatever it quotes."""
    return message.replace("\n", "\\n")[:MAX_LETTERS]


def suggestion(name: str, known: Iterable[str]) -> str:
    """` (did you mean ...?)` if a known name is close."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _complaint(first: Any, root: type[BaseModel]) -> str:
    key: list[Any] = []
    field: FieldInfo | None = None
    model: type[BaseModel] | None = root
    for part in first["loc"]:
        if model and part in model.model_fields:
            field = model.model_fields[str(part)]
            model = _model_in(field.annotation)
        elif model is None and ((field and field.description) or _is_type_tag(part)):
            continue  # a described field is described whole, whichever of its parts is wrong
        key.append(part)
    name = ".".join(map(str, key))
    if first["type"] == "extra_forbidden":
        accepted = list(model.model_fields) if model else []
        return f"unknown key {name}{suggestion(str(key[-1]), accepted)}; accepted here: {', '.join(accepted)}"
    if first["type"] == "missing":
        return f"{name} is missing"
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    return f"{name} must be {_accepted(first['msg'], field)}, got {first['input']!r}"


def _accepted(message: str, field: FieldInfo | None) -> str:
    if field and field.description:
        return field.description
    message = message.removeprefix("Input ").removeprefix("should be ").replace("greater than or equal to", ">=")
    return message.replace("less than or equal to", "<=").replace("greater than", ">").replace("less than", "<")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The table that a field holds, which may also be declared as `Table | None`."""
    parts = [annotation, *get_args(annotation)]
    return next((part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)), None)


def _is_type_tag(part: object) -> bool:
    # pydantic adds the branch of a union to the location of an error, e.g. "constrained-float" or "tuple[...]"
    return isinstance(part, str) and ("[" in part or "constrained" in part or part in {"float", "int"})
