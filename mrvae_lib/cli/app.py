"""What the commands share: options, errors in one line, tables, and commands that can be copied into a shell."""

import os
import shlex
import shutil
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from mrvae_lib.errors import MRVAEError


class Commands(TyperGroup):
    """The commands: errors a user can mend are one line and exit code 2, any other error keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=RuntimeWarning)
            warnings.filterwarnings("ignore", module="torch|sklearn")
            warnings.showwarning = lambda message, *_, **__: print(f"mrvae: {message}", file=sys.stderr)
            try:
                return super().invoke(ctx)
            except BrokenPipeError:
                raise  # a reader such as `head` has seen enough
            except (MRVAEError, OSError) as error:
                print(f"mrvae: {error}", file=sys.stderr)
                raise typer.Exit(2) from None


app = typer.Typer(cls=Commands, help="Train, measure and explore variational autoencoders with bits beside reals.",
                  no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False,
                  rich_markup_mode=None)


def out_option(help_text: str) -> Any:
    """`--out`; `~` is the user's home also where the shell leaves it alone, as in `--out=~/runs`."""
    return typer.Option(parser=lambda text: Path(os.path.expanduser(text)), metavar="PATH", help=help_text)


def named_argument(metavar: str, help_text: str) -> Any:
    """A file, a folder, or the name of something that ships; `~` is the user's home."""
    return typer.Argument(parser=os.path.expanduser, metavar=metavar, help=help_text)


Run = Annotated[str, named_argument("RUN", "A run's folder, or the name of a shipped model.")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, for example "
                                                    "train.epochs=3; may be repeated.")]
Quick = Annotated[bool, typer.Option("--quick", help="Use the preset's quick table: a small run for a first look.")]


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    """Print rows of text, with a row of heads where one of them says something."""
    table = Table(*heads, title=title, title_justify="left", box=None, show_header=any(heads))
    for row in rows:
        table.add_row(*row)
    # As it is: rich would read brackets and colons in a label or a setting as markup and emoji.
    Console(markup=False, emoji=False, highlight=False).print(table)


def command_line(*arguments: str | Path) -> str:
    """A command of this program, ready to be copied into a shell.

    The program is given by its path where it cannot be found by name, as after `make run` without an environment.
    """
    here = Path(sys.argv[0])
    by_name = shutil.which("mrvae") or here.stem != "mrvae"
    return shlex.join(["mrvae" if by_name else os.path.relpath(here), *map(str, arguments)])
