"""Sliders and bits on a trained model. Loaded on first use: training needs neither widgets nor a display."""

from __future__ import annotations

from typing import Any

__all__ = ["LatentExplorer", "export_html", "page_frame"]


def __getattr__(name: str) -> Any:
    if name == "LatentExplorer":
        from mrvae_lib.interactive.explorer import LatentExplorer

        return LatentExplorer
    if name in ("export_html", "page_frame"):
        from mrvae_lib.interactive import export

        return getattr(export, name)
    raise AttributeError(f"module 'mrvae_lib.interactive' has no attribute {name!r}")
