"""Kernel time from a slider's or a bit's event to the new pictures, and what 10,000 events leave behind.

    python benchmarks/explorer.py
"""

from __future__ import annotations

import io
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable
from itertools import cycle

import torch

from mrvae_lib import MRVAE, load_model
from mrvae_lib.analysis.traversals import traverse
from mrvae_lib.config import ModelConfig
from mrvae_lib.interactive import LatentExplorer

N_TIMED, N_RANDOM, N_PLOTS = 300, 10_000, 5


def milliseconds(act: Callable[[], None], n: int = N_TIMED) -> tuple[float, float]:
    """Median and 95th percentile over n calls."""
    times = []
    for _ in range(n):
        began = time.perf_counter()
        act()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def drag(explorer: LatentExplorer) -> Callable[[], None]:
    """Each call moves the first slider by a step."""
    values, slider = cycle([-2.5 + 0.1 * i for i in range(50)]), next(iter(explorer.sliders.values()))

    def act() -> None:
        slider.value = next(values)

    return act


def press(explorer: LatentExplorer) -> Callable[[], None]:
    """Each call flips the first bit."""
    def act() -> None:
        explorer.bits[0].value = not explorer.bits[0].value

    return act


def walk(explorer: LatentExplorer) -> Callable[[], None]:
    """Each call shows a draw from the prior: every picture is new."""
    return explorer.randomise


def pyplot_grid(model: MRVAE) -> Callable[[], None]:
    """The same pictures as subplots of one figure."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    def act() -> None:
        z, b = torch.randn(model.n_reals), torch.zeros(model.n_bits)
        with torch.inference_mode():
            pictures = torch.cat([model.decode(z[None], b[None]), traverse(model, z, b, real=0),
                                  traverse(model, z, torch.zeros(model.n_bits))])
        figure, axes = plt.subplots(4, 7)
        for ax, picture in zip(axes.flat, pictures, strict=True):
            ax.imshow(picture[0])
            ax.set_axis_off()
        figure.savefig(io.BytesIO(), format="png")
        plt.close(figure)

    return act


def random_events(explorer: LatentExplorer, n: int) -> None:
    """Whatever a reader may do, in any order."""
    draw = random.Random(0)
    sliders = list(explorer.sliders.values())
    views = [name for name, _ in explorer.views.options][1:]
    for _ in range(n):
        kind = draw.random()
        if kind < 0.5:
            draw.choice(sliders).value = draw.uniform(-2.5, 2.5)
        elif kind < 0.7:
            bit = draw.choice(explorer.bits)
            bit.value = not bit.value
        elif kind < 0.8:
            explorer.walk.step(draw.choice((-1, 1)))
        elif kind < 0.95:
            explorer.randomise()
        else:
            explorer.show_view(draw.choice(views))


def memory() -> float:
    """The most memory this process has held so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    conv = ModelConfig(n_reals=6, n_bits=2, network="conv", hidden=(32, 32, 64, 64, 256))
    digits = load_model("mnist-mrvae")
    shown = {
        "28x28, MLP, 4 bits": (digits, True),
        "28x28, MLP, picture alone": (digits, False),
        "64x64, four convolutions, picture alone": (MRVAE((1, 64, 64), conv).eval(), False),
        "64x64 colour, the same, picture alone": (MRVAE((3, 64, 64), conv).eval(), False),
        "64x64, four convolutions, 2 bits": (MRVAE((1, 64, 64), conv).eval(), True),
    }
    print(f"kernel time per event, ms, median and 95 %, {N_TIMED} events, {torch.get_num_threads()} threads, fp32;")
    print("with strip (11 pictures) and all codes, unless the picture is alone")
    print(f"{'model':41} {'slider':>14} {'bit':>14} {'everything new':>15}")
    for name, (model, tiles) in shown.items():
        explorer = LatentExplorer(model, tiles=tiles)
        columns = [milliseconds(make(explorer)) for make in (drag, press, walk)]
        print(f"{name:41} " + " ".join(f"{median:8.2f} {high:5.1f}" for median, high in columns))
        if tiles and model is digits:
            everything_new = columns[-1][0]

    plot, _ = milliseconds(pyplot_grid(digits), N_PLOTS)
    print(f"the same 28 pictures of 28x28 with pyplot: {plot:.0f} ms, {plot / everything_new:.0f} times as long")

    explorer = LatentExplorer(digits)
    random_events(explorer, 500)  # buffers and caches fill once
    before = memory()
    random_events(explorer, N_RANDOM)
    print(f"{N_RANDOM:,} random events: nothing raised, memory grew by {memory() - before:.1f} MB")


if __name__ == "__main__":
    main()
