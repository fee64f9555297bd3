"""Feed generated and damaged files to every reader; each must be read, or refused with one line.

    python benchmarks/fuzz.py [--inputs 10000] [--seed 0] [--only npz] [--quick]

An input fails if it raises anything but our own errors, if its error has more than one line, if it takes longer than
5 seconds, or if it needs more than 1 GB beyond what the process had. Mutations of valid files: bytes flipped, cut out,
doubled; numbers replaced by huge, negative and non-finite ones; names by paths; brackets a thousand deep; headers that
announce 10^12 values; archives that unpack to gigabytes. The exit code is 1 if any input failed; `--keep FOLDER` keeps
the files that did.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import resource
import signal
import struct
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save as save_tensors

from mrvae_lib.config import ModelConfig, dump_config, load_config, preset_names
from mrvae_lib.data import load_dataset
from mrvae_lib.errors import CheckpointError, ConfigError, DataError, shortened
from mrvae_lib.interactive import ExplorerState
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.checkpoints import load_model, save_model

SECONDS, MEMORY = 5.0, 2**30
NUMBERS = ["0", "-1", "1e999", "-1e999", "nan", "1000000000000", "9" * 5000, "0.1", "1e-320", "true", '"x"', "[]",
           "{}", "null", "[[0, 1], [1, 2]]", "512", "1e9"]
TEXTS = ["../../etc/passwd", "/etc/passwd", "C:\\\\x", "a\\u0000b", "\\n", "x" * 10_000, "", "\U0001f600", "__class__"]


@dataclass(frozen=True)
class Format:
    """A kind of file: valid ones, how its reader is called, and damage that only this kind knows."""

    suffix: str
    seeds: list[bytes]
    read: Callable[[Path], object]
    special: Callable[[random.Random], bytes] | None = None
    is_text: bool = False
    wrap: Callable[[bytes], bytes] = bytes
    """Makes the file of its content, so that damage to the content is not stopped by a checksum."""


def small_model() -> MRVAE:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MRVAE((1, 8, 8), ModelConfig(n_reals=2, n_bits=2, hidden=(8,)))


def model_files() -> dict[str, bytes]:
    model = small_model()
    model.card = {"seed": 0, "run": {"data": {"name": "digits"}}, "scores": {"neg_elbo": 1.0}, "label_names": ["0"]}
    model.examples = {"mu": torch.zeros(2, 2), "bits": torch.ones(2, 2), "label": torch.zeros(2, dtype=torch.int64)}
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def in_model_folder(name: str) -> Callable[[Path], object]:
    """Reads a model of which one file is the input."""
    files = model_files()

    def read(path: Path) -> object:
        for other, content in files.items():
            (path.parent / other).write_bytes(path.read_bytes() if other == name else content)
        return load_model(path.parent)

    return read


def bad_tensors(draw: random.Random) -> bytes:
    """Weights with one tensor of another kind, or a header that lies."""
    weights = small_model().state_dict()
    name = draw.choice(list(weights))
    kind = draw.randrange(7)
    if kind == 0:
        weights[name] = weights[name].flatten()
    elif kind == 1:
        weights[name] = torch.full_like(weights[name], draw.choice([float("nan"), float("inf"), 1e38]))
    elif kind == 2:
        weights[name] = weights[name].to(draw.choice([torch.int8, torch.bool, torch.bfloat16, torch.complex64,
                                                      torch.float64]))
    elif kind == 3:
        weights[draw.choice(TEXTS[1:])] = weights.pop(name)
    elif kind == 4:
        weights = {name: torch.zeros(0)}
    else:
        end = draw.choice([10**12, -1, 2**63, 4])
        header = json.dumps({name: {"dtype": "F32", "shape": [draw.choice([10**12, 1, 2**62]), 1],
                                    "data_offsets": [0, end]}}).encode()
        return struct.pack("<Q", len(header) if kind == 5 else 10**12) + header + bytes(8)
    return save_tensors(weights)


def npz(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def zipped(content: bytes, name: str = "images.npy") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def bad_npz(draw: random.Random) -> bytes:
    """Arrays of other shapes and kinds, names that are paths, headers that lie, and a bomb."""
    kind = draw.randrange(5)
    if kind == 0:
        shape = tuple(draw.choice([0, 1, 2, 3, 8, 300]) for _ in range(draw.randrange(6)))
        if np.prod(shape) > 1e6:
            shape = shape[:2]
        dtype = draw.choice(["u1", "i8", "f2", "f8", "c16", "?", "U3", "S2", "M8[s]", "u1,f4", ">f4"])
        return npz(images=np.zeros(shape, dtype=dtype))
    if kind == 1:
        images = np.random.default_rng(0).integers(0, 255, (6, 8, 8), dtype=np.uint8)
        other = draw.choice([np.zeros(6), np.zeros((6, 2)), np.arange(5), np.array(3), np.full(6, -1),
                             np.full(6, 2**62), np.array(["a"] * 6), np.array([object()] * 6, dtype=object),
                             np.zeros(10**8, dtype="U0"), np.arange(6) - 1, np.eye(6)])
        keys = ["labels", "factors", "label_names", "factor_names", "y", "x_train"]
        return npz(images=images, **{draw.choice(keys): other})
    if kind == 2:
        fill, images = draw.choice([np.nan, np.inf, -1e300, 2.0, 256]), np.zeros((4, 8, 8))
        return npz(images=np.where(np.arange(8) < draw.randrange(9), fill, images))
    shape = draw.choice([(10**12,), (10**6, 10**6, 3), (2**62, 8, 8), (4, 8, 8)])
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}".encode()
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    name = draw.choice(["images.npy", "../../images.npy", "/images.npy", "images", "images.npy"])
    content = zipped(array + bytes(draw.choice([0, 256, 10**7])), name)
    if kind == 4:  # the directory lies about the unpacked size
        place = content.rindex(b"PK\x01\x02") + 24
        content = content[:place] + struct.pack("<I", 2**32 - 2) + content[place + 4:]
    return content


def picture_files() -> dict[str, list[bytes]]:
    """Small valid pictures in the formats that people keep, of every kind of pixel that each can hold."""
    from PIL import Image

    shades = np.random.default_rng(0).integers(0, 255, (8, 8), dtype=np.uint8)
    grey = Image.fromarray(shades)
    kinds = [grey, grey.convert("RGB"), grey.convert("RGBA"), grey.convert("LA"), grey.quantize(8), grey.convert("1"),
             grey.convert("CMYK"), Image.fromarray(shades.astype(np.uint16) * 16), grey.convert("F")]
    found: dict[str, list[bytes]] = {}
    for suffix in ("png", "gif", "tif", "jpg", "webp", "bmp", "tga", "dds", "avif", "ico", "jp2", "ppm", "pcx"):
        for kind in kinds:
            stream = io.BytesIO()
            try:
                kind.save(stream, Image.registered_extensions()[f".{suffix}"])
            except Exception:  # noqa: S112 - this format does not hold this kind of pixel
                continue
            found.setdefault(suffix, []).append(stream.getvalue())
    return found


def in_folder_of_pictures(path: Path) -> object:
    """Reads the picture beside a good one, which must always be read."""
    from PIL import Image

    folder = path.parent / "pictures"
    folder.mkdir(exist_ok=True)
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4).save(folder / "good.png")
    (folder / "input").write_bytes(path.read_bytes())
    return load_dataset(str(folder))


def read_view(path: Path) -> object:
    """Reads the text of a view, as a page and a notebook share it."""
    try:
        return ExplorerState.from_json(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        raise ConfigError(shortened(str(error))) from None


def formats() -> dict[str, Format]:
    """Every kind of file that the package reads."""
    presets = Path(sys.modules[MRVAE.__module__].__file__).parent.parent / "presets"
    toml = [(presets / f"{name}.toml") for name in preset_names() if (presets / f"{name}.toml").is_file()]
    ini = sorted(presets.glob("*.ini"))
    files, images = model_files(), np.random.default_rng(0).integers(0, 255, (6, 8, 8), dtype=np.uint8)
    weights = files["model.safetensors"]
    size = 8 + struct.unpack("<Q", weights[:8])[0]
    header = weights[8:size]
    found = {
        "toml": Format(".toml", [path.read_bytes() for path in toml] + [dump_config(load_config("digits")).encode()],
                       load_config, is_text=True),
        "config.json": Format(".input", [files["config.json"]], in_model_folder("config.json"), is_text=True),
        "safetensors": Format(".input", [weights], in_model_folder("model.safetensors"), bad_tensors),
        "safetensors header": Format(".input", [header], in_model_folder("model.safetensors"), is_text=True,
                                     wrap=lambda text: struct.pack("<Q", len(text)) + text + weights[size:]),
        "examples": Format(".input", [files["examples.safetensors"]], in_model_folder("examples.safetensors")),
        "npz": Format(".npz", [npz(images=images, labels=np.arange(6)),
                               npz(train_images=images / 255.0, test_images=images / 255.0)],
                      lambda path: load_dataset(str(path)), bad_npz),
        "npy in npz": Format(".npz", [npy(images), npy(images / 255.0)],
                             lambda path: load_dataset(str(path)), wrap=zipped),
    }
    found["npy"] = Format(".npy", [npy(images), npy(images.astype(">f4")), npy(images > 99)],
                          lambda path: load_dataset(str(path)))
    found["view"] = Format(".json", [ExplorerState((0.1, -2.0), (0, 1), 3).to_json().encode()], read_view, is_text=True)
    found["pictures"] = Format(".input", [data for files in picture_files().values() for data in files],
                               in_folder_of_pictures)
    if ini:
        from mrvae_lib.dialects.ini import IniFile

        found["ini"] = Format(".ini", [path.read_bytes() for path in ini], lambda path: IniFile.read(path).run(),
                              is_text=True)
    return found


def mutated(draw: random.Random, form: Format) -> bytes:
    """One input: damage of this kind's own, or a valid file with up to four wounds."""
    if form.special and draw.random() < 0.4:
        return form.special(draw)
    content = bytearray(draw.choice(form.seeds))
    for _ in range(draw.randint(1, 4)):
        content = (text_wound if form.is_text and draw.random() < 0.7 else byte_wound)(draw, content)
    return form.wrap(bytes(content))


def byte_wound(draw: random.Random, content: bytearray) -> bytearray:
    a, b = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return [
        lambda: content[:a] + bytes([draw.randrange(256)]) + content[a + 1:],
        lambda: content[:a] + draw.randbytes(draw.randrange(1, 9)) + content[a:],
        lambda: content[:a] + content[min(b, a + 50):],
        lambda: content[:a],
        lambda: content[:b] + content[a:b][:1000] + content[b:],
        lambda: content[:a] + draw.choice([b"\xff" * 8, b"\x7f\xff\xff\xff", bytes(8)]) + content[a + 8:],
    ][draw.randrange(6)]()


def text_wound(draw: random.Random, content: bytearray) -> bytearray:
    """Another value, name or nesting, in a text that otherwise stays what it was."""
    text = content.decode("utf-8", errors="replace")
    kind = draw.randrange(5)
    pattern = (r"-?\d+\.?\d*", r'"[^"]*"', r"\b[a-z_]{3,}\b", r"[\[\]{}=:,\n]", r"-?\d+\.?\d*")[kind]
    places = list(re.finditer(pattern, text))
    if not places:
        return content
    place = draw.choice(places)
    new = (draw.choice(NUMBERS), json.dumps(draw.choice(TEXTS)), draw.choice(["n_reals", "x", "data", "card", "model"]),
           draw.choice(["", "[" * 2000, "\n\n", "{" * 2000, ",,", "=="]), json.dumps([draw.choice(TEXTS)] * 3))[kind]
    return bytearray((text[: place.start()] + new + text[place.end():]).encode("utf-8", errors="replace"))


class TooSlow(BaseException):
    """No Exception, for a reader may take any of those for the file's fault."""


@contextmanager
def time_limit(seconds: float):
    """Of processor time, which other programs on the machine do not use up."""
    def ring(*_: object) -> None:
        raise TooSlow(f"longer than {seconds:g} s")

    previous = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


@contextmanager
def memory_limit(extra: int):
    """Let the process have so many bytes more of address space than it has now."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + extra, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def outcome(form: Format, path: Path) -> str:
    """`read`, `refused`, or what went wrong."""
    try:
        with time_limit(SECONDS):
            form.read(path)
    except (ConfigError, DataError, CheckpointError) as error:
        text = str(error)
        return "refused" if "\n" not in text and len(text) < 2000 else f"a message of {len(text)} letters: {text[:200]}"
    except BaseException as error:  # whatever it is, it is a finding
        where = error.__traceback__
        while where.tb_next:
            where = where.tb_next
        return f"{type(error).__name__} in {Path(where.tb_frame.f_code.co_filename).name}: {str(error)[:150]!r}"
    return "read"


def fuzz(name: str, form: Format, n_inputs: int, seed: int, keep: Path | None = None) -> Counter[str]:
    """How many inputs of one kind came to which end."""
    draw, ends = random.Random(f"{seed} {name}"), Counter[str]()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / f"input{form.suffix}"
        for i in range(n_inputs):
            path.write_bytes(mutated(draw, form))
            end = outcome(form, path)
            ends[end] += 1
            if keep and end not in ("read", "refused"):
                keep.mkdir(exist_ok=True)
                (keep / f"{name}-{i}{form.suffix}").write_bytes(path.read_bytes())
    return ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=None)
    parser.add_argument("--keep", type=Path, default=None)
    parser.add_argument("--quick", action="store_true", help="300 inputs of each kind")
    arguments = parser.parse_args()
    failed = 0
    print(f"{'kind':18} {'inputs':>7} {'read':>7} {'refused':>8} {'failed':>7} {'seconds':>8}")
    with memory_limit(MEMORY):
        for name, form in formats().items():
            if arguments.only in (None, name):
                began = time.monotonic()
                ends = fuzz(name, form, 300 if arguments.quick else arguments.inputs, arguments.seed, arguments.keep)
                wrong = {end: n for end, n in ends.items() if end not in ("read", "refused")}
                failed += sum(wrong.values())
                print(f"{name:18} {sum(ends.values()):7,} {ends['read']:7,} {ends['refused']:8,} "
                      f"{sum(wrong.values()):7,} {time.monotonic() - began:8.1f}", flush=True)
                for end, n in sorted(wrong.items(), key=lambda pair: -pair[1])[:20]:
                    print(f"    {n:5} x {end}")
    print(f"{failed} failures")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
