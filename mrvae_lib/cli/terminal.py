"""How the command line speaks: tables, one-line errors, its own name."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from mrvae_lib.errors import MRVAEError

console = Console()


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Errors a user can mend become one line and exit code 2; anything else keeps its traceback."""
    try:
        yield
    except (MRVAEError, OSError) as error:
        print(f"mrvae: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    """Rows of text under their heads, a head row only where a head says something."""
    table = Table(*heads, title=title, title_justify="left", box=None, show_header=any(heads))
    for row in rows:
        table.add_row(*row)
    console.print(table)


def program() -> str:
    """How to call this program again: by name, or by its place where no environment is active (after `make run`)."""
    here = Path(sys.argv[0])
    if shutil.which("mrvae") or here.stem != "mrvae":
        return "mrvae"
    return os.path.relpath(here)
