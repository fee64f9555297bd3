"""What a user can mend, in one line that names the thing, the value received and what is accepted."""

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

MAX_LETTERS = 600
"""The longest error, since an error quotes what it received."""

ACCEPTED = {
    "greater_than_equal": ">= {ge}", "greater_than": "> {gt}", "less_than_equal": "<= {le}", "less_than": "< {lt}",
    "literal_error": "{expected}", "bool_type": "true or false", "bool_parsing": "true or false",
    "int_type": "a whole number", "int_parsing": "a whole number", "int_from_float": "a whole number",
    "float_type": "a number", "float_parsing": "a number", "finite_number": "a finite number", "string_type": "text",
    "json_invalid": "JSON", "model_type": "a table of settings", "model_attributes_type": "a table of settings",
}
"""What each of pydantic's types of error accepts, filled in from the error's own context."""


class MRVAEError(ValueError):
    """Any error of this library that its user can mend."""


class ConfigError(MRVAEError):
    """A configuration that cannot be used."""


class DataError(MRVAEError):
    """Images that cannot be had."""


class CheckpointError(MRVAEError):
    """A model or checkpoint that cannot be read or written."""


class TrainingError(MRVAEError):
    """A run that cannot go on."""


class ExportError(MRVAEError):
    """A model that the page cannot hold."""


def one_line(error: ValidationError, root: type[BaseModel]) -> str:
    """The first complaint, with the key's dotted name, the value and what would be accepted.

    Args:
        root: the model that was validated; a field's description, where it has one, says what it accepts.
    """
    return shortened(_complaint(error.errors()[0], root))


def shortened(message: str | Exception) -> str:
    """A message on one line and of bearable length, whatever it quotes; an error of another library with its kind."""
    text = f"{type(message).__name__}: {message}" if isinstance(message, Exception) else message
    return text.replace("\n", "\\n")[:MAX_LETTERS]


def suggestion(name: str, known: Iterable[str]) -> str:
    """` (did you mean ...?)` if a known name is close."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _complaint(first: Any, root: type[BaseModel]) -> str:
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    # The location goes on inside a field, with the branch of a union or the place in a list: the field is named whole.
    names: list[str] = []
    model: type[BaseModel] | None = root
    description = None
    for part in first["loc"]:
        if not (field := model and model.model_fields.get(part)):
            break
        names.append(part)
        held = [field.annotation, *get_args(field.annotation)]  # a table may also be declared as `Table | None`
        model = next((kind for kind in held if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        description = field.description
    if first["type"] == "extra_forbidden":
        key, accepted = str(first["loc"][-1]), list(model.model_fields) if model else []
        return (f"unknown key {'.'.join([*names, key])}{suggestion(key, accepted)}; "
                f"accepted here: {', '.join(accepted)}")
    if first["type"] == "missing":
        return f"{'.'.join(names)} is missing"
    accepted_text = description or ACCEPTED.get(first["type"], first["msg"]).format(**first.get("ctx", {}))
    return f"{'.'.join(names)} must be {accepted_text}, got {first['input']!r}".strip()
