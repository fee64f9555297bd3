"""The command line: train, sweep, evaluate, traverse, explore, export, data, presets, convert."""

import typer

from mrvae_lib.cli.looking import data, evaluate, explore, export, traverse
from mrvae_lib.cli.presets import presets
from mrvae_lib.cli.terminal import one_line_errors
from mrvae_lib.cli.training import convert_file, train
from mrvae_lib.sweep.command import sweep

app = typer.Typer(
    help="Train, measure and explore variational autoencoders with bits beside reals.",
    no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False,
)
for command in (train, one_line_errors()(sweep), evaluate, traverse, explore, export, data, presets):
    app.command()(command)
app.command("convert")(convert_file)
