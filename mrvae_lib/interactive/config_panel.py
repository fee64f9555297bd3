"""ConfigPanel: a configuration as widgets, filled from one and writing one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import ipywidgets as widgets

from mrvae_lib.config import RunConfig, changed, dump_config, load_config
from mrvae_lib.dialects.ini import IniFile, is_ini
from mrvae_lib.errors import ConfigError
from mrvae_lib.interactive.display import error_text, widget_or_picture, wrapped
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
        self.message = widgets.HTML()
        self.fields: dict[str, widgets.Text | widgets.Dropdown] = {}
        columns = []
        for section, keys in SHOWN.items():
            fields = {f"{section}.{key}": self._field(section, key) for key in keys}
            self.fields |= fields
            columns.append(widgets.VBox([widgets.HTML(f"<b>{section}</b>"), *fields.values()]))
        self.panel = widgets.VBox([wrapped(*columns), self.message])
        self.show(config or RunConfig())

    @property
    def config(self) -> RunConfig:
        """The configuration that the widgets say.

        Raises:
            ConfigError: one of them says what is not accepted; names it.
        """
        return changed(self._base, [f"{name}={field.value}" for name, field in self.fields.items()], origin="panel")

    def show(self, config: RunConfig) -> None:
        """Fill the widgets from a configuration."""
        self._base = config
        for name, field in self.fields.items():
            section, key = name.split(".")
            value = getattr(getattr(config, section), key)
            field.value = value if isinstance(value, str) else json.dumps(value)
        self._check()

    def load(self, source: str | Path) -> None:
        """Fill the widgets from a preset, a TOML file or an INI file.

        Raises:
            ConfigError: as `load_config` and `IniFile.read`.
        """
        self.show(IniFile.read(source).run() if is_ini(source) else load_config(source))

    def save(self, path: str | Path) -> Path:
        """Write what the widgets say as a TOML file; `load` and `mrvae train` read it back.

        Raises:
            ConfigError: a widget says what is not accepted; nothing is written.
        """
        atomic_write(Path(path), dump_config(self.config))
        return Path(path)

    def _field(self, section: str, key: str) -> widgets.Text | widgets.Dropdown:
        accepted = type(getattr(RunConfig(), section)).model_fields[key].annotation
        look = {"description": key, "style": {"description_width": "120px"}, "layout": widgets.Layout(width="290px")}
        if get_origin(accepted) is Literal:
            field = widgets.Dropdown(options=get_args(accepted), **look)
        else:
            field = widgets.Text(continuous_update=False, **look)
        field.observe(self._check, names="value")
        return field

    def _check(self, __: Any = None) -> None:
        self.message.value = ""
        try:
            _ = self.config
        except ConfigError as error:
            self.message.value = error_text(str(error))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        lines = [f"{name} = {field.value}" for name, field in self.fields.items()]
        return widget_or_picture(self.panel, None, "\n".join(lines))
