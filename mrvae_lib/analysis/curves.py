"""Line charts and bars as SVG text: they are drawn in a millisecond and need nothing but a browser."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#5b6774", "#000000")
"""Okabe and Ito's, distinct to colour-blind readers."""
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 380, 210, 46, 10, 22, 34
MAX_POINTS = 200

Points = Sequence[tuple[float, float]]


def line_chart(series: Mapping[str, Points], *, title: str, x_name: str = "epoch") -> str:
    """Curves on common axes, named below; a name that starts with `test/` is dashed, in the colour of its twin.

    Points that are not finite are left out. Returns an `<svg>` element that carries its own style.
    """
    kept = {name: _thinned([(x, y) for x, y in points if math.isfinite(y)]) for name, points in series.items()}
    kept = {name: points for name, points in kept.items() if points}
    twins = list(dict.fromkeys(name.removeprefix("test/") for name in kept))
    xs = [x for points in kept.values() for x, _ in points] or [0.0, 1.0]
    ys = [y for points in kept.values() for _, y in points] or [0.0, 1.0]
    x_ticks, y_ticks = nice_ticks(min(xs), max(xs)), nice_ticks(min(ys), max(ys))
    x_range = min(xs), max(max(xs), min(xs) + 1e-9)
    y_range = min(*y_ticks, *ys), max(*y_ticks, *ys)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_range[0]) / (x_range[1] - x_range[0])
        up = (y - y_range[0]) / (y_range[1] - y_range[0] or 1)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    parts = [f'<text x="{LEFT}" y="13" font-weight="600">{escape(title)}</text>']
    for tick in y_ticks:
        y = place(x_range[0], tick)[1]
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d9dee4"/>'
                     f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in (tick for tick in x_ticks if x_range[0] <= tick <= x_range[1]):
        parts.append(f'<text x="{place(tick, 0)[0]:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{tick:g}'
                     f'</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end" fill="#5b6774">{escape(x_name)}</text>')
    for name, points in kept.items():
        colour = COLOURS[twins.index(name.removeprefix("test/")) % len(COLOURS)]
        dashes = ' stroke-dasharray="5 3"' if name.startswith("test/") else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        if len(points) == 1:
            x, y = place(*points[0])
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
    legend = "".join(
        f'<span style="margin-right:12px;white-space:nowrap"><span style="color:{COLOURS[i % len(COLOURS)]};'
        f'font-weight:700">—</span> {escape(name)}</span>' for i, name in enumerate(twins))
    if any(name.startswith("test/") for name in kept):
        legend += "<span>dashed: test images</span>"
    return (f'<div style="max-width:{WIDTH}px;font:12px system-ui,sans-serif;color:#1c2530">'
            f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" '
            f'style="font:11px system-ui,sans-serif;fill:#1c2530;display:block">{"".join(parts)}</svg>{legend}</div>')


def bar_chart(values: Mapping[str, float], *, title: str, most: float) -> str:
    """Horizontal bars with their values, one per name; bars of `b...` are orange, others blue.

    Args:
        most: the value at full width, at least the largest one.
    """
    rows = []
    for name, value in values.items():
        width = 100 * max(0.0, value) / most if most > 0 and math.isfinite(value) else 0
        colour = COLOURS[1] if name.startswith("b") else COLOURS[0]
        rows.append(f'<div style="display:flex;align-items:center;gap:6px;height:15px"><span style="width:28px;'
                    f'text-align:right">{escape(name)}</span><span style="flex:1;background:#eef1f4"><span '
                    f'style="display:block;height:10px;width:{width:.1f}%;background:{colour}"></span></span>'
                    f'<span style="width:34px">{value:.2f}</span></div>')
    return (f'<div style="max-width:260px;font:11px system-ui,sans-serif;color:#1c2530"><b style="font-size:12px">'
            f'{escape(title)}</b>{"".join(rows)}</div>')


def nice_ticks(low: float, high: float, n: int = 4) -> list[float]:
    """About n round numbers (1, 2 or 5 times a power of ten) that span from low to high."""
    if high <= low:
        high = low + (abs(low) or 1)
    raw = (high - low) / n
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _thinned(points: Points) -> Points:
    if len(points) <= MAX_POINTS:
        return points
    keep = {round(i * (len(points) - 1) / (MAX_POINTS - 1)) for i in range(MAX_POINTS)}
    return [point for i, point in enumerate(points) if i in keep]
