"""TrainingMonitor: a run to watch in a notebook, with curves, reconstructions, what each latent carries, and Stop."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display
from torch import Tensor

from mrvae_lib.analysis.curves import COLOURS, bar_chart, line_chart
from mrvae_lib.analysis.epochs import evaluating
from mrvae_lib.analysis.evaluation import INFORMATIVE_KL
from mrvae_lib.analysis.figures import show_pictures
from mrvae_lib.analysis.sheets import Sheet, figure_png, png_bytes
from mrvae_lib.data import ImageSet
from mrvae_lib.interactive.comms import answer_widgets, running_kernel
from mrvae_lib.interactive.display import inline_image, widget_or_picture
from mrvae_lib.objective import Terms
from mrvae_lib.training.loop import Callback, Run

N_SHOWN = 8
ANSWER_EVERY = 0.1
"""Seconds between two looks for a press of Stop."""
LOSS, CARRIED = ("reconstruction",), ("kl_z", "kl_b")


class TrainingMonitor(Callback):
    """Shows a run while its cell is running; in a plain terminal it prints one line per epoch instead.

    Stop, like the notebook's own interrupt, ends the run after its current step; with a folder, a checkpoint stays.

    Args:
        images: whose reconstructions to show; the training images if None.
        every: seconds between two redraws, so that watching costs little.
    """

    def __init__(self, images: ImageSet | None = None, *, every: float = 1.0) -> None:
        self.images, self.every = images, every
        self.run: Run | None = None
        self.curves: dict[str, list[tuple[float, float]]] = {}
        """(epoch, nats per image), means over the steps since the point before: a point per epoch and per redraw."""
        self.metrics: dict[str, Any] = {}
        """Of the last epoch."""
        self.x = torch.empty(0)
        self._sums: dict[str, Tensor] = {}
        self._n_summed = 0
        self._shown_at = self._answered_at = self._started_at = 0.0
        self._display: Any = None
        self._build()

    def on_start(self, run: Run) -> None:
        self.run, self.curves, self.metrics = run, {}, {}
        self._sums, self._n_summed = {}, 0
        self.x = (self.images or run.images).first(N_SHOWN).floats().to(run.device)
        self._shown_at = self._answered_at = self._started_at = time.monotonic()
        self.bar.max, self.bar.value = run.n_steps, run.step
        self.stop.disabled = False
        if running_kernel() is not None:
            self._display = display(self, display_id=True)

    def on_step(self, run: Run, terms: Terms, weights: Mapping[str, float]) -> None:
        for name, value in terms.values.items():
            mean = value.detach().mean()
            self._sums[name] = self._sums[name] + mean if name in self._sums else mean
        self._n_summed += 1
        now = time.monotonic()
        if now - self._answered_at > ANSWER_EVERY:
            answer_widgets()
            self._answered_at = now
        if now - self._shown_at > self.every:
            self._show(run)

    def on_epoch(self, run: Run, metrics: dict[str, Any]) -> None:
        self.metrics = metrics
        self._collect(run)
        for name, value in metrics.get("test", {}).items():
            self.curves.setdefault(f"test/{name}", []).append((run.epoch, value))
        if running_kernel() is None:
            told = ", ".join(f"{name} {metrics[name]:.2f}" for name in (*LOSS, *CARRIED))
            print(f"epoch {run.epoch}/{run.config.train.epochs}: {told}")

    def on_end(self, run: Run) -> None:
        self._show(run)
        self.stop.disabled = True
        if self._display is not None:
            self._display.update(self)  # now with the picture that stays in the saved notebook

    def png(self) -> bytes:
        """The curves and reconstructions now, as one picture."""
        figure, axes = plt.subplots(1, 3, figsize=(10, 2.6), width_ratios=[1, 1, 1.2])
        for ax, names in zip(axes, (LOSS, CARRIED), strict=False):
            for name, points in self._curves(names).items():
                twin, is_test = names.index(name.removeprefix("test/")), name.startswith("test/")
                ax.plot(*np.array(points).T, label=name, color=COLOURS[twin], linestyle="--" if is_test else "-",
                        marker="o" if len(points) == 1 else None)
            ax.set(xlabel="epoch", ylabel="nats per image", xlim=(0, None))
            ax.spines[["top", "right"]].set_visible(False)
            ax.legend(frameon=False, fontsize=7)
        axes[1].set_ylim(0, max(0.5, axes[1].get_ylim()[1]))  # a collapsed run should look like one
        if self.run is not None:
            show_pictures(torch.cat([self.x, self._made(self.run)]).cpu(), N_SHOWN, axes[2],
                          title="originals above reconstructions")
        return figure_png(figure)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        finished = self.run is not None and self.stop.disabled
        picture = self.png() if finished else png_bytes(np.full((1, 1, 3), 255, dtype=np.uint8))
        return widget_or_picture(self.panel, picture, f"TrainingMonitor({self.status.value})")

    def _build(self) -> None:
        self.bar = widgets.IntProgress(layout=widgets.Layout(width="260px"))
        self.stop = widgets.Button(description="Stop", icon="stop", button_style="warning", disabled=True,
                                   tooltip="end the run after this step, with a checkpoint")
        self.stop.add_class("mrvae-stop")
        self.stop.on_click(self._on_stop)
        self.status, self.message, self.bars = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.loss_chart, self.carried_chart = widgets.HTML(), widgets.HTML()
        self.picture = widgets.HTML()
        for chart in (self.loss_chart, self.carried_chart):
            chart.layout = widgets.Layout(width="330px")
        self.bars.layout = widgets.Layout(width="250px")
        row = widgets.Layout(flex_flow="row wrap", align_items="flex-start")
        self.panel = widgets.VBox([
            widgets.HBox([self.bar, self.stop, self.status], layout=widgets.Layout(flex_flow="row wrap")),
            self.message,
            widgets.HBox([self.loss_chart, self.carried_chart, self.bars], layout=row),
            self.picture,
        ])

    def _on_stop(self, _: widgets.Button) -> None:
        if self.run is not None:
            self.run.stop.set()
            self.stop.description = "Stopping"

    def _show(self, run: Run) -> None:
        self._shown_at = time.monotonic()
        self._collect(run)
        if running_kernel() is None:
            return
        self.bar.value = run.step
        self.stop.description = "Stop"
        self.status.value = self._status(run)
        self.loss_chart.value = line_chart(self._curves(LOSS), title="reconstruction, nats per image")
        self.carried_chart.value = line_chart(self._curves(CARRIED), title="KL, nats per image")
        kl, bits = self.metrics.get("kl_of_real", []), self.metrics.get("information_of_bit", [])
        self.bars.value = carried_bars(kl, bits)
        warning = collapse_message(kl, bits)
        self.message.value = f'<span style="color:#D55E00">{warning}</span>' if warning else ""
        sheet = Sheet([self.x, self._made(run)], row_names=["original", "reconstr."]).draw()
        self.picture.value = inline_image(sheet, alt="originals above reconstructions", width=sheet.shape[1])

    def _collect(self, run: Run) -> None:
        """A point for each curve, of the steps since the last."""
        at = run.step / run.steps_per_epoch
        for name, total in self._sums.items():
            self.curves.setdefault(name, []).append((at, float(total) / self._n_summed))
        self._sums, self._n_summed = {}, 0

    def _status(self, run: Run) -> str:
        seconds = time.monotonic() - self._started_at
        state = "finished" if run.finished else "stopped" if run.stop.is_set() else "training"
        return f"{state}, epoch {run.epoch} of {run.config.train.epochs}, {seconds:.0f} s"

    def _curves(self, names: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
        wanted = [prefix + name for name in names for prefix in ("", "test/")]
        return {name: self.curves[name] for name in wanted if any(y for _, y in self.curves.get(name, ()))}

    def _made(self, run: Run) -> Tensor:
        with evaluating(run.model):
            return run.model.reconstruct(self.x.to(next(run.model.parameters()).device)).to(self.x.device)


def carried_bars(kl_of_real: Sequence[float], information_of_bit: Sequence[float]) -> str:
    """What each latent carries, as bars: reals by KL, bits by I(x; b_k), nats per image."""
    values = {f"z{i}": value for i, value in enumerate(kl_of_real)}
    values |= {f"b{k}": value for k, value in enumerate(information_of_bit)}
    return bar_chart(values, title="carried by each latent, nats", most=max([math.log(2), *values.values()]))


def collapse_message(kl_of_real: Sequence[float], information_of_bit: Sequence[float]) -> str:
    """Which latents carry nothing, and what to try when none does; empty if all carry something or nothing is known.

    Args:
        kl_of_real: (D,) and information_of_bit: (K,), nats per image; under 0.1 counts as nothing.
    """
    empty_reals = [f"z{i}" for i, value in enumerate(kl_of_real) if value < INFORMATIVE_KL]
    empty_bits = [f"b{k}" for k, value in enumerate(information_of_bit) if value < INFORMATIVE_KL]
    empty, total = empty_reals + empty_bits, len(kl_of_real) + len(information_of_bit)
    if not empty:
        return ""
    if len(empty) == total:
        return ("Collapsed: no latent carries anything, so every image is decoded alike. Lower beta, or reward "
                "information about the image.")
    message = f"Carrying nothing: {', '.join(empty)} (under {INFORMATIVE_KL:g} nats per image)."
    if information_of_bit and len(empty_bits) == len(information_of_bit):
        message += " All bits have collapsed: raise lambda_information."
    return message
