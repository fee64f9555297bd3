"""`python -m mrvae_lib` is `mrvae`."""

from mrvae_lib.cli import app

app()
