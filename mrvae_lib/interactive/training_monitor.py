"""TrainingMonitor: a run to watch in a notebook, with curves, reconstructions and what each latent carries."""

import time
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
from IPython.core.getipython import get_ipython
from IPython.display import display

from mrvae_lib.analysis.evaluation import INFORMATIVE
from mrvae_lib.analysis.figures import ORANGE, figure_png, plot_information, plot_metrics, plot_reconstructions
from mrvae_lib.data import ImageSet
from mrvae_lib.objective import Terms
from mrvae_lib.training.loop import Callback
from mrvae_lib.training.run import Run

N_SHOWN = 12
SHARE_OF_DRAWING = 0.05
"""Of the time of a run, at most."""


class TrainingMonitor(Callback):
    """Shows a run while its cell is running; outside a notebook it prints one line per epoch instead.

    The notebook's own interrupt ends the run after its current step; with a folder, a checkpoint stays.

    Args:
        images: whose reconstructions to show; the training images if None.
        every: seconds between two redraws, at least. Drawing takes no more than 5 % of the time, so on a slow machine
            it is done less often.
    """

    def __init__(self, images: ImageSet | None = None, *, every: float = 1.0) -> None:
        self.images, self.every = images, every
        self.run: Run | None = None
        self.rows: list[dict[str, Any]] = []
        """A row per epoch and per redraw, for `plot_metrics`: each term's mean over the steps since the row before."""
        self.metrics: dict[str, Any] = {}
        """Of the last epoch."""

    def on_start(self, run: Run) -> None:
        self.run, self.rows, self.metrics = run, [], {}
        self._sums: dict[str, Any] = {}
        self._n_summed = 0
        self._started_at = time.monotonic()
        self._next_at = self._started_at + self.every
        # A shell has a kernel where pictures are shown below a cell.
        self._display: Any = display(self, display_id=True) if hasattr(get_ipython(), "kernel") else None

    def on_step(self, run: Run, terms: Terms, weights: Mapping[str, float]) -> None:
        for name, value in terms.values.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach().mean()
        self._n_summed += 1
        if time.monotonic() > self._next_at:
            self._redraw(run)

    def on_epoch(self, run: Run, metrics: dict[str, Any]) -> None:
        self.metrics = metrics
        self._add_row(run)
        self.rows[-1] = {**metrics, **self.rows[-1]}
        if self._display is None:
            told = ", ".join(f"{name} {metrics[name]:.2f}" for name in ("reconstruction", "kl_z", "kl_b"))
            print(f"epoch {run.epoch}/{run.config.train.epochs}: {told}")

    def on_end(self, run: Run) -> None:
        self._redraw(run)  # this picture stays in the saved notebook

    def status(self) -> str:
        """Where the run is, and how to stop it."""
        if self.run is None:
            return "not started"
        state = "finished" if self.run.finished else "stopped" if self.run.stop.is_set() else "training"
        seconds = time.monotonic() - self._started_at
        kept = "; a checkpoint stays" if self.run.folder else ""
        how = f" (interrupt the cell to stop after this step{kept})" if state == "training" else ""
        return f"{state}, epoch {self.run.epoch} of {self.run.config.train.epochs}, {seconds:.0f} s{how}"

    def png(self) -> bytes:
        """The status, curves, bars and reconstructions now, as one picture."""
        kl, bits = self.metrics.get("kl_of_real", []), self.metrics.get("information_of_bit", [])
        figure = plt.figure(figsize=(10, 5), layout="constrained")
        figure.suptitle(self.status(), x=0.01, ha="left", fontsize=10, fontweight="bold")
        message, curves, pictures = figure.subfigures(3, 1, height_ratios=[0.25, 2.6, 1.9], squeeze=False)[:, 0]
        message.text(0.01, 0.5, fill(collapse_message(kl, bits), 140), color=ORANGE, va="center", fontsize=9)
        left, right = curves.subfigures(1, 2, width_ratios=[2, 1.1], squeeze=False)[0]
        plot_metrics(self.rows, ("loss", "what latents carry"), left)
        plot_information(kl, bits, right.subplots())
        if self.run is not None:
            x = (self.images or self.run.images).first(N_SHOWN).floats()
            plot_reconstructions(self.run.model, x, pictures.subplots())
        return figure_png(figure)

    def __repr__(self) -> str:
        message = collapse_message(self.metrics.get("kl_of_real", []), self.metrics.get("information_of_bit", []))
        return f"TrainingMonitor({self.status()}) {message}".strip()

    _repr_png_ = png

    def _redraw(self, run: Run) -> None:
        """Draw up to the last step, where there is a notebook, and decide when to draw next."""
        self._add_row(run)
        began = time.monotonic()
        if self._display is not None:
            self._display.update(self)
        now = time.monotonic()
        self._next_at = now + max(self.every, (now - began) / SHARE_OF_DRAWING)

    def _add_row(self, run: Run) -> None:
        if self._n_summed:
            means = {name: float(total) / self._n_summed for name, total in self._sums.items()}
            self.rows.append({**means, "epoch": run.step / run.steps_per_epoch})
            self._sums, self._n_summed = {}, 0


def collapse_message(kl_of_real: Sequence[float], information_of_bit: Sequence[float]) -> str:
    """Which latents carry nothing, and what to try when none does; empty if all carry something or nothing is known.

    Args:
        kl_of_real: (D,) and information_of_bit: (K,), nats per image; under `INFORMATIVE` counts as nothing.
    """
    empty_reals = [f"z{i}" for i, value in enumerate(kl_of_real) if value < INFORMATIVE]
    empty_bits = [f"b{k}" for k, value in enumerate(information_of_bit) if value < INFORMATIVE]
    empty, total = empty_reals + empty_bits, len(kl_of_real) + len(information_of_bit)
    if not empty:
        return ""
    if len(empty) == total:
        return ("Collapsed: no latent carries anything, so every image is decoded alike. Lower beta, or reward "
                "information about the image.")
    message = f"Carrying nothing: {', '.join(empty)} (under {INFORMATIVE:g} nats per image)."
    if information_of_bit and len(empty_bits) == len(information_of_bit):
        message += " All bits have collapsed: raise lambda_information."
    return message
