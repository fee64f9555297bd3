"""The command line: train, sweep, evaluate, traverse, explore, export, data, presets."""

from mrvae_lib.cli import inspect, sweep, train
from mrvae_lib.cli.app import app

for command in (train.train, sweep.sweep, inspect.evaluate, inspect.traverse, inspect.explore, inspect.export,
                inspect.data, inspect.presets):
    app.command()(command)
