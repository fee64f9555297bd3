"""The folder of a model, the shipped models, and the checkpoints from which a run goes on."""

import errno
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from mrvae_lib.config import ModelConfig, Section
from mrvae_lib.errors import CheckpointError, one_line, shortened, suggestion
from mrvae_lib.model.vae import MRVAE

PARTIAL = ".partial-"
"""How the names of the temporary folders begin in which `atomic` writes."""
TAKEN = "another process is training here"
"""A sweep looks for these words in a run's error, to see that another process has the run."""
SHIPPED = Path(__file__).parents[1] / "weights"
"""The folder of the shipped models, one model folder each."""


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Keep a run's folder to ourselves, and say in one line what goes wrong in writing there and what remains.

    The system lets go of the lock when its process ends, however it ends.

    Raises:
        CheckpointError: another process has it, the disk is full, the folder is read-only or gone, or the like.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=0.3):  # `in_use` of another process may hold it for a moment
            yield
    except Timeout:
        raise CheckpointError(f"{folder}: {TAKEN}; wait for it or stop it, or choose another "
                              f"folder with --out") from None
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise  # an error of another kind that inherits from OSError
        gone = error.errno == errno.ENOENT and not folder.is_dir()
        reason = "the folder is gone" if gone else error.strerror or str(error)
        found = latest_checkpoint(folder)
        rest = f"{found} stays, and the same command goes on from there" if found else "no checkpoint was written yet"
        raise CheckpointError(f"{folder}: cannot be written to ({reason}); {rest}") from None


def in_use(folder: Path) -> bool:
    """Whether a process is training in this folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(Timeout), FileLock(folder / ".lock", timeout=0.3):
        return False
    return True


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Where to write a file or a folder that appears under its name only when it is complete, in place of an older one.

    A reader never sees half of one. A file is replaced in one step; a folder that replaces another is missing for the
    moment between two renames.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=path.parent, ignore_cleanup_errors=True) as room:
        partial = Path(room) / "new"
        yield partial
        if partial.is_dir() and path.exists():  # unlike a file, a folder cannot replace one that holds something
            path.rename(Path(room) / "old")
        partial.replace(path)


def atomic_write(path: Path, content: str | bytes) -> None:
    """Replace a file whole."""
    with atomic(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def remove_partial(folder: Path) -> None:
    """Clear away what a killed process was writing below a folder; nothing there was ever complete."""
    for path in list(folder.rglob(f"{PARTIAL}*")):
        shutil.rmtree(path, ignore_errors=True)


def save_model(model: MRVAE, folder: Path, *, state: dict[str, Any] | None = None) -> None:
    """Write a model as `config.json` (shape, configuration, model card), `model.safetensors` and its examples.

    Weights of `model.half()` take half the space; a model that is read computes in fp32, with the rounded numbers.

    Args:
        state: of a checkpoint, what else `load_state` is to find there.
    """
    said = _ModelFile(image_shape=model.image_shape, model=model.config, card=model.card)
    weights = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    with atomic(folder) as partial:
        partial.mkdir()
        (partial / "config.json").write_text(said.model_dump_json(indent=2) + "\n", encoding="utf-8")
        (partial / "model.safetensors").write_bytes(save(weights))
        if model.examples:
            (partial / "examples.safetensors").write_bytes(save(model.examples))
        if state:
            content = io.BytesIO()  # torch's own writer does not say why a disk takes no more
            torch.save(state, content)
            (partial / "state.pt").write_bytes(content.getbuffer())


def load_model(source: str | os.PathLike[str]) -> MRVAE:
    """A shipped model by its name, or the model of a run's folder, in evaluation mode, on the CPU, in fp32.

    Its `card` tells how it was trained and what it scores, once a run is finished; its `examples` are encoded test
    images.

    Args:
        source: a name from `pretrained_names()`; the folder of a run, of which the finished model is taken or else its
            newest checkpoint; or the folder of a model.
    Raises:
        CheckpointError: there is none, or a file is damaged; names it.
    """
    folder, names = Path(source).expanduser(), pretrained_names()
    if str(source) in names and not folder.is_dir():
        return read_model(SHIPPED / str(source))
    for candidate in (folder / "model", folder, *reversed(checkpoints(folder / "checkpoints"))):
        if (candidate / "config.json").is_file():
            return read_model(candidate)
    if folder.is_dir():
        raise CheckpointError(f"{folder}: no model here; expected model/config.json or checkpoints/step-*")
    raise CheckpointError(f"{source}: no such run folder or shipped model; shipped: {', '.join(names)}"
                          f"{suggestion(str(source), names)}")


def pretrained_names() -> list[str]:
    """The shipped models, in alphabetical order."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/config.json"))


def read_model(folder: Path) -> MRVAE:
    """Read a model folder, in evaluation mode, on the CPU, in fp32.

    Raises:
        CheckpointError: a file is missing or does not fit; names it.
    """
    config_path, weights_path = folder / "config.json", folder / "model.safetensors"
    for path in (config_path, weights_path):
        if not path.is_file():
            raise CheckpointError(f"{path}: not there; a model folder holds config.json and model.safetensors")
    try:
        said = _ModelFile.model_validate_json(config_path.read_bytes())
        with torch.device("meta"):  # allocates nothing, for a damaged file may ask for any amount of memory
            model = MRVAE(said.image_shape, said.model)
    except ValidationError as error:
        raise CheckpointError(f"{config_path}: not a model's config.json ({one_line(error, _ModelFile)})") from None
    # Copies, because sums over memory that is not aligned may differ in their last bit.
    weights = {name: value.float().clone() for name, value in _tensors(weights_path).items()}
    try:
        model.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise CheckpointError(f"{weights_path}: does not hold this model's weights ({shortened(error)})") from None
    for name, value in weights.items():
        if not torch.isfinite(value).all():
            raise CheckpointError(f"{weights_path}: {name} is not finite; no model can be made of it")
    model.card = said.card
    if (folder / "examples.safetensors").is_file():
        model.examples = _tensors(folder / "examples.safetensors")
        for name, width in (("mu", model.n_reals), ("bits", model.n_bits)):
            if model.examples.get(name, torch.empty(0, width)).shape[1:] != (width,):
                raise CheckpointError(f"{folder / 'examples.safetensors'}: {name} must be (N, {width}), "
                                      f"got {tuple(model.examples[name].shape)}")
    return model.eval()


class _ModelFile(Section):
    """What `config.json` says of a model."""

    image_shape: tuple[int, int, int]
    model: ModelConfig
    card: dict[str, Any] = Field(default_factory=dict)


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, RuntimeError, KeyError, ValueError, OSError) as error:
        raise CheckpointError(f"{path}: does not hold this model's weights ({shortened(error)})") from None


def save_checkpoint(folder: Path, model: MRVAE, state: dict[str, Any], step: int) -> None:
    """Write `folder/step-N` whole, then drop the older checkpoints.

    Raises:
        FileNotFoundError: the run's folder was taken away; it is not made anew.
    """
    folder.mkdir(exist_ok=True)
    save_model(model, folder / f"step-{step:08d}", state=state)
    for older in checkpoints(folder)[:-1]:
        shutil.rmtree(older)


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    found = [path for path in folder.glob("step-*") if path.is_dir() and path.name[5:].isdecimal()]
    return sorted(found, key=lambda path: int(path.name[5:]))


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint of a run's folder, if any."""
    return next(reversed(checkpoints(folder / "checkpoints")), None)


def load_state(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The training state of a checkpoint, on a device: tensors and plain values only, nothing is executed."""
    try:
        state = torch.load(path / "state.pt", map_location=device, weights_only=True)
        if not isinstance(state, dict):
            raise TypeError(f"expected a table, got {type(state).__name__}")
        return state
    except Exception as error:  # a damaged file can fail anywhere inside torch's reader, with any error
        raise CheckpointError(f"{path / 'state.pt'}: cannot be read ({shortened(error)}); delete {path} to go on "
                              "without it") from None
