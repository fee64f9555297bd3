"""Where to start from: the examples, one after the other or those of one class."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets

from mrvae_lib.interactive.controls import action, choice
from mrvae_lib.interactive.state import ExplorerContent


class Starts:
    """Buttons that walk through the starting points, and a list of classes that narrows the walk.

    Args:
        content: what there is to start from.
        show: called with the number of the starting point to show.
    """

    def __init__(self, content: ExplorerContent, show: Callable[[int], None]) -> None:
        self.content, self.show = content, show
        self.example = 0
        names = sorted(set(content.labels), key=content.labels.index) if content.labels else []
        names = sorted(names) if all(name.isdigit() for name in names) else names
        self.classes = choice("class", [("any", ""), *((name, name) for name in names)], self._on_class, width="150px")
        self.controls: list[widgets.Widget] = [self.classes] if names else []
        self.controls += [
            action("previous", lambda: self.step(-1), tooltip="the previous example"),
            action("next", lambda: self.step(+1), tooltip="the next example"),
            action("reset", lambda: self.show(self.example), tooltip="back to the example"),
        ]

    def step(self, direction: int) -> None:
        """Show the next or previous example of the class, counting around."""
        places = self.content.of_class(self.classes.value)
        place = places.index(self.example) + direction if self.example in places else 0
        self.example = places[place % len(places)]
        self.show(self.example)

    def _on_class(self, name: str) -> None:
        if name and self.content.labels[self.example] != name:
            self.step(+1)
