"""What is wrong with a configuration, in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError


class ConfigError(ValueError):
    """A configuration that cannot be used; the message is one line naming the key, the value and what is accepted."""


def one_line(error: ValidationError, schema: type[BaseModel], schedule: Any) -> str:
    """The first complaint, with the key's dotted name, the value and what would be accepted.

    Args:
        schema: what was to be filled.
        schedule: the type of its schedules, whose errors pydantic words badly.
    """
    first = error.errors()[0]
    parts = [part for part in first["loc"] if not (isinstance(part, str) and _is_type_tag(part))]
    key, received = ".".join(map(str, parts)), first["input"]
    if first["type"] == "extra_forbidden":
        accepted = list(_annotations(schema, parts[:-1]))
        return f"unknown key {key}{suggestion(str(parts[-1]), accepted)}; accepted here: {', '.join(accepted)}"
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    message = first["msg"].removeprefix("Input ").replace("greater than or equal to", ">=")
    message = message.replace("less than or equal to", "<=").replace("greater than", ">").replace("less than", "<")
    if len(parts) > 1 and _annotations(schema, parts[:1]).get(str(parts[1])) == schedule:
        message = "should be a number >= 0, or points [[progress 0..1, value >= 0], ...]"
    return f"{key} {message.replace('should be', 'must be', 1)}, got {received!r}"


def suggestion(name: str, known: Iterable[str]) -> str:
    """` (did you mean ...?)` if one of the known names is close, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _is_type_tag(part: str) -> bool:
    # pydantic adds the branch of a union to the location of an error, e.g. "constrained-float" or "tuple[...]"
    return "[" in part or "constrained" in part or part in {"float", "int"}


def _annotations(schema: type[BaseModel], keys: list[Any]) -> dict[str, Any]:
    """What each key of a section is declared to be; `[]` names the whole configuration."""
    for key in keys:
        annotation = schema.model_fields[key].annotation
        sections = [part for part in (annotation, *get_args(annotation)) if hasattr(part, "model_fields")]
        if not sections:
            return {}
        schema = sections[0]
    return {name: field.annotation for name, field in schema.model_fields.items()}
