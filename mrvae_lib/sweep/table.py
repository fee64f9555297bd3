"""What a sweep found: a row per run, mean and standard deviation over seeds, and a picture."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from mrvae_lib.analysis.figures import BLUE, save_figure
from mrvae_lib.sweep.trials import Row
from mrvae_lib.training.checkpoints import atomic_write


def write_sweep(rows: Sequence[Row], folder: Path) -> str:
    """`runs.jsonl`, one line per run; `table.md`, mean and standard deviation over seeds; `sweep.png`.

    Returns:
        The table as Markdown.
    """
    atomic_write(folder / "runs.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    points = _points(rows)
    measures = list(dict.fromkeys(name for row in rows for name in row if name not in ("settings", "error")))
    lines = ["| " + " | ".join(["settings", "runs", "failed", *measures]) + " |", "|" + " --- |" * (len(measures) + 3)]
    for label, runs in points.items():
        good = [run for run in runs if "error" not in run]
        cells = [_mean_and_std([run[name] for run in good if name in run]) for name in measures]
        lines.append("| " + " | ".join([label, str(len(good)), str(len(runs) - len(good)), *cells]) + " |")
    table = "\n".join(lines) + "\n"
    atomic_write(folder / "table.md", table)
    if measures:
        _draw(points, measures, folder / "sweep.png")
    return table


def _points(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The runs of each point of the grid: same settings, different seeds."""
    points: dict[str, list[Row]] = {}
    for row in rows:
        label = ", ".join(f"{key.split('.')[-1]} {json.dumps(value)}" for key, value in row["settings"].items()
                          if key != "train.seed")
        points.setdefault(label or "as given", []).append(row)
    return points


def _mean_and_std(values: Sequence[float]) -> str:
    if not values:
        return "-"
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"


def _draw(points: dict[str, list[Row]], measures: Sequence[str], path: Path) -> None:
    """A panel per measure: a dot per run, a line through the means."""
    import matplotlib.pyplot as plt

    columns = min(3, len(measures))
    n_rows = -(-len(measures) // columns)
    figure, axes = plt.subplots(n_rows, columns, figsize=(4 * columns, 2.6 * n_rows), squeeze=False,
                                layout="constrained", sharex=True)
    for ax, name in zip(axes.flat, measures, strict=False):
        means = [[run[name] for run in runs if name in run] for runs in points.values()]
        for x, values in enumerate(means):
            ax.plot([x] * len(values), values, "o", color=BLUE, alpha=0.5, markeredgewidth=0)
        drawn = [(x, statistics.mean(values)) for x, values in enumerate(means) if values]
        ax.plot(*zip(*drawn, strict=True), color=BLUE)
        ax.set_title(name.replace("_", " "), fontsize=10, loc="left")
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_xticks(range(len(points)), points, rotation=30 if len(points) > 2 else 0, ha="right" if len(points) > 2
                      else "center", fontsize=8)
        ax.margins(x=0.1)
    for ax in list(axes.flat)[len(measures):]:
        ax.axis("off")
    save_figure(figure, path)
