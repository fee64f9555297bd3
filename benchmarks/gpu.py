"""Everything that is to be known of this project on a GPU, in one go of at most 8 minutes.

    python benchmarks/gpu.py [--out FOLDER] [--seconds 480] [--dry-run]

It needs one CUDA GPU, this repository, and MNIST's four .gz files below MRVAE_DATA or shared/data (in the repository or
beside it); nothing is downloaded. Sections run one after another, each with its own share of the time. Where one fails
or takes too long, its error is written down beside what it had measured, and the next one begins. After each section
gpu.md in FOLDER (docs if left out) has its table; at the end gpu.jsonl has one line more. Without a GPU nothing is
measured and nothing is written. --dry-run runs every section on the CPU with tiny sizes, into a temporary folder.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import explorer, training  # noqa: E402
from benchmarks.fuzz import TooSlow, time_limit  # noqa: E402
from mrvae_lib.analysis.evaluation import evaluate  # noqa: E402
from mrvae_lib.config import load_config  # noqa: E402
from mrvae_lib.data import load_dataset  # noqa: E402
from mrvae_lib.interactive import LatentExplorer  # noqa: E402
from mrvae_lib.objective import loss_terms, total_loss, weights_at  # noqa: E402
from mrvae_lib.training.callbacks import JsonLines, TensorBoard  # noqa: E402
from mrvae_lib.training.checkpoints import load_model  # noqa: E402
from mrvae_lib.training.loop import Callback, batches_left, train, train_step  # noqa: E402
from mrvae_lib.training.run import start  # noqa: E402

Row = dict[str, Any]
RATES = {"mnist": (256,), "mnist-jointvae": (64, 256, 2048), "dsprites-capacity": (64, 256, 2048)}
"""The batches at which each preset is timed."""
T4_HOST, T4_MEMORY = 2.0, 15.0
"""Guesses for Colab's T4 beside an H200: how much longer its processor takes to launch a kernel, and its memory to
move a byte (4,800 against 320 GB/s)."""


@dataclass(frozen=True)
class Bench:
    """What the sections are told: where to compute, and whether sizes are tiny."""

    device: str
    tiny: bool

    def steps(self, n: int) -> int:
        return 4 if self.tiny else n


class Deadline(Callback):
    """Stops a run in good order when its time is over."""

    def __init__(self, seconds: float) -> None:
        self.end = time.perf_counter() + seconds

    def on_start(self, run) -> None:
        self.run = run

    def on_step(self, run, terms, weights) -> None:
        if time.perf_counter() > self.end:
            run.stop.set()


def last_line(error: BaseException) -> str:
    """An error as the last line of its traceback, with the line of code where it was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = "".join(traceback.format_exception_only(error)).splitlines()[0]
    return f"{text[:200]} ({Path(frame.filename).name}:{frame.lineno})"


def guarded(prepare: Callable[..., Callable[[], float]], *arguments: Any, **settings: Any) -> float | str:
    """What is measured after a preparation, or the error in its place."""
    try:
        return prepare(*arguments, **settings)()
    except Exception as error:
        return last_line(error)


def tests(bench: Bench) -> Iterator[Row]:
    """The tests marked `gpu`, in a process of their own."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "tests/test_gpu.py"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = run.stdout.strip().splitlines() or run.stderr.strip().splitlines() or ["no output"]
    print(run.stdout[-6000:])
    for line in [*(line for line in lines if line.startswith(("FAILED", "ERROR"))), lines[-1]]:
        yield {"result": line}


def rates(bench: Bench) -> Iterator[Row]:
    """Images per second: the rival's loop, ours, our bare step, and the same step captured as a CUDA graph."""
    for preset, batches in RATES.items():
        images = load_dataset("mnist" if preset.startswith("mnist") else "dsprites")
        images = images.first(512 if bench.tiny else 60_000)
        precision = "fp32" if bench.tiny else training.chosen_precision(preset, images, 256, bench.device)
        same = {"precision": precision, "device": bench.device}
        for batch in (16,) if bench.tiny else batches:
            steps, few = bench.steps(300 if batch < 2048 else 100), bench.steps(max(6, 6400 // batch))
            row = {"preset": preset, "batch": batch, "ours in": precision}
            row["rival's loop"] = guarded(training.rival_rate, preset, images, few, batch, bench.device)
            row["our loop"] = guarded(training.loop_rate, preset, images, batch, steps, **same)
            row["our bare step"] = guarded(training.bare_rate, preset, images, batch, steps, **same)
            row["captured step"] = guarded(captured_rate, preset, images, batch, steps, **same)
            if isinstance(row["our loop"], float) and isinstance(row["rival's loop"], float):
                row["ours / rival"] = row["our loop"] / row["rival's loop"]
            yield row


def captured_rate(preset: str, images, batch: int, n_steps: int, *, precision: str, device: str
                  ) -> Callable[[], float]:
    """An experiment, not part of the library: the bare step as one CUDA graph, with the schedules held still.

    Its loss must go on falling, or the figure would be that of a step that does nothing.
    """
    run, _ = training.bare_run(preset, images, batch, precision=precision, device=device)
    run = replace(run, optimizer=torch.optim.Adam(run.model.parameters(), lr=5e-4, fused=True, capturable=True))
    run.model.train()
    places, weights = torch.arange(batch, device=device), weights_at(run.config.objective, 0.5)

    def step() -> torch.Tensor:
        run.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(run.device.type, dtype=torch.bfloat16, enabled=run.bf16, cache_enabled=False):
            terms = loss_terms(run.model, run.images.floats(places), run.config.objective, weights, generator=run.noise)
            loss = total_loss(terms, weights)
        loss.backward()
        run.optimizer.step()
        return loss.detach()

    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        first = float([step() for _ in range(3)][-1])
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(run.noise)
    with torch.cuda.graph(graph):
        loss = step()
    order = torch.randperm(batch, device=device)

    def rate() -> float:
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(n_steps):
            places.copy_(order)
            graph.replay()
        torch.cuda.synchronize()
        seconds = time.perf_counter() - began
        if not float(loss) < first:
            raise RuntimeError(f"the captured step does not learn: loss {first:.4g}, then {float(loss):.4g}")
        return n_steps * batch / seconds

    return rate


def whole_runs(bench: Bench) -> Iterator[Row]:
    """Two presets from the first step to the last, then scored, on the GPU."""
    for preset, seconds in (("mnist", 110.0), ("dsprites", 80.0)):
        tiny = ["train.epochs=1", "data.limit=600"] if bench.tiny else []
        config = load_config(preset, overrides=[f"train.device={bench.device}", *tiny])
        images, test = load_dataset(config.data, "train"), load_dataset(config.data, "test")
        if bench.tiny:
            images, test = images.first(600), test.first(200)
        deadline = Deadline(seconds)
        with tempfile.TemporaryDirectory() as folder:
            log = [deadline, JsonLines(Path(folder) / "metrics.jsonl"), TensorBoard(Path(folder) / "tensorboard")]
            began = time.perf_counter()
            model = train(config, folder, images=images, callbacks=log)
        taken, run = time.perf_counter() - began, deadline.run
        began = time.perf_counter()
        scores = evaluate(model.to(bench.device), test, images, kmeans=False)
        yield {
            "preset": preset, "steps": f"{run.step:,} of {run.n_steps:,}", "ours in": "bf16" if run.bf16 else "fp32",
            "seconds": taken, "images/s": run.step * run.batch_size / taken, "-ELBO, nats": scores["neg_elbo"],
            "accuracy of the code": scores["code_accuracy"], "I(x; b), nats": scores["information_of_code"],
            "seconds to score": time.perf_counter() - began}


def slider(bench: Bench) -> Iterator[Row]:
    """A slider's event to the PNG of its picture, milliseconds."""
    for name in ("mnist-mrvae", "dsprites-mrvae"):
        for device in dict.fromkeys(("cpu", bench.device)):
            for tiles in (False, True):
                moved = LatentExplorer(load_model(name).to(device), tiles=tiles)
                median, high = explorer.milliseconds(explorer.drag(moved), bench.steps(100))
                yield {"model": name, "on": device, "shown": "with strip and codes" if tiles else "the picture alone",
                       "median, ms": median, "95 %, ms": high}


def kernels(bench: Bench) -> Iterator[Row]:
    """What one training step launches, and what that would take on a T4: an estimate, not a measurement."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if bench.device == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    n_steps = 5
    for preset, batch in (("mnist", 256), ("dsprites", 128), ("mnist-jointvae", 64)):
        batch = 16 if bench.tiny else batch
        config = training.configured(preset, batch, "fp32", bench.device)
        images = load_dataset(config.data, "train").first(40 * batch)
        run = start(config, images=images)
        batches, weights = batches_left(run), weights_at(config.objective, 0.5)
        for _ in range(10):
            train_step(run, next(batches), weights)
        training.wait_for(bench.device)
        times = []
        for _ in range(10):
            began = time.perf_counter()
            train_step(run, next(batches), weights)
            training.wait_for(bench.device)
            times.append(time.perf_counter() - began)
        with torch.profiler.profile(activities=activities) as profile:
            for _ in range(n_steps):
                train_step(run, next(batches), weights)
            training.wait_for(bench.device)
        events = profile.events()
        launched = [event for event in events if event.device_type == torch.autograd.DeviceType.CUDA
                    and not getattr(event, "is_user_annotation", False)]
        row: dict[str, Any] = {"preset": preset, "batch": batch, "ms per step": 1000 * statistics.median(times)}
        if launched:
            busy = sum(event.time_range.elapsed_us() for event in launched) / n_steps / 1000
            row |= {"kernels per step": len(launched) // n_steps, "ms in kernels": busy,
                    "T4, estimated ms": max(T4_HOST * row["ms per step"], T4_MEMORY * busy)}
            print(f"T4 estimate for {preset} at {batch}: {row['T4, estimated ms']:.1f} ms a step, the greater of "
                  f"{T4_HOST:g} times the {row['ms per step']:.2f} ms of a step here and {T4_MEMORY:g} times the "
                  f"{busy:.2f} ms of its {row['kernels per step']} kernels", flush=True)
        else:
            row["operators per step"] = sum(event.cpu_parent is None for event in events) // n_steps
        yield row


SECTIONS: dict[str, tuple[float, Callable[[Bench], Iterator[Row]]]] = {
    "Tests": (100, tests), "Whole runs": (215, whole_runs), "Images per second": (160, rates),
    "A slider's event": (25, slider), "Kernels of a step": (30, kernels),
}
"""Each with the seconds that it may take, out of what is left."""


def markdown(result: dict[str, Any]) -> str:
    """The result as a page."""
    def cell(value: Any) -> str:
        return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}") if isinstance(value, float) else str(value)

    parts = ["# On a GPU", f"`python benchmarks/gpu.py`, {result['date']}: {result['card']}, torch {result['torch']}, "
             f"{result['cores']} processor cores, {result['seconds']:.0f} s in all."]
    for name, section in result["sections"].items():
        doc = " ".join((SECTIONS[name][1].__doc__ or "").split("\n\n")[0].split())
        parts += [f"## {name}", f"{doc} ({section['seconds']:.0f} s.)"]
        if rows := section.get("rows"):
            heads = list(dict.fromkeys(key for row in rows for key in row))
            lines = [heads, ["---"] * len(heads), *([cell(row.get(head, "")) for head in heads] for row in rows)]
            parts.append("\n".join(f"| {' | '.join(text.replace('|', '/') for text in line)} |" for line in lines))
        if "error" in section:
            parts.append(f"Failed: `{section['error']}`")
    return "\n\n".join(parts) + "\n"


def own_copy_of_the_data(folder: Path) -> None:
    """Put MNIST's files where torchvision may unpack them; without any, what needs them fails and says so."""
    beside = (ROOT / "shared" / "data", ROOT.parent / "shared" / "data")
    for place in filter(None, (os.environ.get("MRVAE_DATA"), *beside)):
        found = sorted((Path(place) / "MNIST" / "raw").glob("*.gz"))
        if len(found) == 4:
            (folder / "MNIST" / "raw").mkdir(parents=True)
            for path in found:
                shutil.copyfile(path, folder / "MNIST" / "raw" / path.name)
            break
    os.environ["MRVAE_DATA"] = str(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="the folder of gpu.md and gpu.jsonl; docs if left out")
    parser.add_argument("--seconds", type=float, default=480, help="for all sections together")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes on the CPU, into a temporary folder")
    arguments = parser.parse_args()
    if not (torch.cuda.is_available() or arguments.dry_run):
        print("There is no CUDA GPU here: nothing was measured.")
        return
    bench = Bench("cpu", True) if arguments.dry_run else Bench("cuda", False)
    out = Path(tempfile.mkdtemp(prefix="gpu-")) if arguments.dry_run else arguments.out or ROOT / "docs"
    out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    result: dict[str, Any] = {
        "date": datetime.date.today().isoformat(), "torch": torch.__version__, "cores": os.cpu_count(),
        "card": "no card (dry run)" if arguments.dry_run else torch.cuda.get_device_name(), "sections": {}}
    with tempfile.TemporaryDirectory() as data:
        own_copy_of_the_data(Path(data))
        for name, (seconds, section) in SECTIONS.items():
            print(f"== {name}", flush=True)
            section_began, found = time.perf_counter(), {"rows": []}
            left = arguments.seconds - (section_began - began)
            try:
                with time_limit(max(0.1, min(seconds, left))):
                    for row in section(bench):
                        found["rows"].append(row)
                        print(row, flush=True)
            except (Exception, TooSlow) as error:
                found["error"] = last_line(error)
                print(found["error"], flush=True)
            result["sections"][name] = {"seconds": time.perf_counter() - section_began, **found}
            result["seconds"] = time.perf_counter() - began
            (out / "gpu.md").write_text(markdown(result), encoding="utf-8")
    with (out / "gpu.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")
    print(f"Written to {out}: gpu.md, gpu.jsonl")


if __name__ == "__main__":
    main()
