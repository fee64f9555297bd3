"""ConfigPanel: a configuration as widgets, filled from one and writing one."""

from __future__ import annotations

import os
import tomllib
from html import escape
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import ipywidgets as widgets
import tomli_w

from mrvae_lib.config import ConfigError, RunConfig, dump_config, load_config, parse_config
from mrvae_lib.dialects.ini import IniFile, is_ini
from mrvae_lib.training.checkpoints import atomic_write

SHOWN = {
    "data": ("name",),
    "model": ("n_reals", "n_bits", "network", "hidden", "likelihood"),
    "objective": ("beta_z", "beta_b", "lambda_information", "lambda_consistency", "estimator"),
    "train": ("epochs", "batch_size", "lr", "seed"),
}
"""The settings with a widget of their own; all others stay as they were read."""


class ConfigPanel:
    """Widgets for the settings one changes most, always checked: what is wrong is said, and `config` then raises it.

    Numbers, lists and schedules are written as in a TOML file: `4`, `[512, 256]`, `[[0, 12], [1, 2.5]]`.

    Args:
        config: what to fill the widgets from; the defaults if None.
    """

    def __init__(self, config: RunConfig | None = None) -> None:
        self._base = config or RunConfig()
        self._quiet = False
        self.fields: dict[str, widgets.Text | widgets.Dropdown] = {
            f"{section}.{key}": self._field(section, key) for section, keys in SHOWN.items() for key in keys
        }
        self.message = widgets.HTML()
        columns = [widgets.VBox([widgets.HTML(f"<b>{section}</b>"), *(self.fields[f"{section}.{key}"] for key in keys)])
                   for section, keys in SHOWN.items()]
        self.panel = widgets.VBox([widgets.HBox(columns, layout=widgets.Layout(flex_flow="row wrap")), self.message])
        self.show(self._base)

    @property
    def config(self) -> RunConfig:
        """The configuration that the widgets say.

        Raises:
            ConfigError: one of them says what is not accepted; names it.
        """
        table = self._base.model_dump(mode="json", exclude_none=True)
        for name, field in self.fields.items():
            section, key = name.split(".")
            table[section][key] = field.value if isinstance(field, widgets.Dropdown) else _value(field.value)
        return parse_config(table, origin="panel")

    def show(self, config: RunConfig) -> None:
        """Fill the widgets from a configuration."""
        self._base, self._quiet = config, True
        table = config.model_dump(mode="json")
        for name, field in self.fields.items():
            section, key = name.split(".")
            value = table[section][key]
            field.value = value if isinstance(field, widgets.Dropdown) or isinstance(value, str) else _text(value)
        self._quiet = False
        self._check()

    def load(self, source: str | os.PathLike[str]) -> None:
        """Fill the widgets from a preset, a TOML file or an INI file. Raises ConfigError as their readers do."""
        self.show(IniFile.read(source).run() if is_ini(source) else load_config(source))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write what the widgets say as a TOML file; `load` and `mrvae train` read it back.

        Raises:
            ConfigError: a widget says what is not accepted.
        """
        atomic_write(Path(path), dump_config(self.config))
        return Path(path)

    def _field(self, section: str, key: str) -> widgets.Text | widgets.Dropdown:
        annotation = type(getattr(self._base, section)).model_fields[key].annotation
        style = {"description": key, "style": {"description_width": "120px"},
                 "layout": widgets.Layout(width="290px")}
        if get_origin(annotation) is Literal:
            field = widgets.Dropdown(options=list(get_args(annotation)), **style)
        else:
            field = widgets.Text(continuous_update=False, **style)
        field.observe(self._check, names="value")
        return field

    def _check(self, _: Any = None) -> None:
        if self._quiet:
            return
        try:
            self.message.value = f"<span>{escape(self._summary(self.config))}</span>"
        except ConfigError as error:
            self.message.value = f'<span style="color:#D55E00">{escape(str(error))}</span>'

    def _summary(self, config: RunConfig) -> str:
        model, train = config.model, config.train
        return (f"{model.n_reals} reals and {model.n_bits} bits on {config.data.name}, {train.epochs} epochs of "
                f"batches of {train.batch_size}")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.panel.model_id}
        try:
            text = dump_config(self.config)
        except ConfigError as error:
            text = str(error)
        return {"text/plain": text, "application/vnd.jupyter.widget-view+json": view}


def _text(value: Any) -> str:
    """A value as it stands in a TOML file."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_text, value)) + "]"
    return tomli_w.dumps({"v": value}).removeprefix("v = ").strip()


def _value(text: str) -> Any:
    """What a TOML file says there; anything else is plain text, which the configuration then judges."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text.strip()
