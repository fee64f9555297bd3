"""Files a run can be continued from, and the folder format of a model."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mrvae_lib.config import ConfigError, parse_config
from mrvae_lib.model.vae import MRVAE

PARTIAL = ".partial-"
"""How the names of files and folders begin while they are being written."""


class CheckpointError(RuntimeError):
    """A model or checkpoint that cannot be read; the message is one line naming the file and what was expected."""


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A new folder that appears under its name only when it is complete, in place of an older one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=path.parent))
    try:
        partial.chmod(0o755)
        yield partial
        if path.exists():
            old = partial.with_name(partial.name + "-old")
            path.rename(old)
            partial.rename(path)
            shutil.rmtree(old)
        else:
            partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def atomic_write(path: Path, content: str | bytes) -> None:
    """Replace a file whole: a reader sees the old content or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(partial, path)


def remove_partial(folder: Path) -> None:
    """Clear away what a killed process was writing below a folder; nothing there was ever complete."""
    for path in list(folder.rglob(f"{PARTIAL}*")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def save_model(model: MRVAE, folder: Path, *, half: bool = False) -> None:
    """Write a model as `config.json` (shape, configuration, model card), `model.safetensors` and its examples.

    Args:
        half: store the weights as fp16, half the size; the model then computes with the rounded numbers.
    """
    with atomic_folder(folder) as partial:
        write_model(model, partial, half=half)


def write_model(model: MRVAE, folder: Path, *, half: bool = False) -> None:
    """As `save_model`, into a folder that exists."""
    config = {
        "image_shape": list(model.image_shape),
        "model": model.config.model_dump(mode="json"),
        "card": model.card,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    if half:
        weights = {name: value.half() for name, value in weights.items()}
    save_file(weights, folder / "model.safetensors")
    if model.examples:
        save_file(model.examples, folder / "examples.safetensors")
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)  # safetensors makes its files readable by their owner alone


def load_model(folder: Path) -> MRVAE:
    """Read a model folder, in evaluation mode, on the CPU, in fp32.

    Raises:
        CheckpointError: a file is missing or does not fit; names it.
    """
    config_path, weights_path = folder / "config.json", folder / "model.safetensors"
    for path in (config_path, weights_path):
        if not path.is_file():
            raise CheckpointError(f"{path}: not there; a model folder holds config.json and model.safetensors")
    try:
        config = json.loads(config_path.read_text(encoding="utf-8"))
        settings = parse_config({"model": config["model"]}, origin=str(config_path)).model
        model = MRVAE(tuple(config["image_shape"]), settings)
        model.card = config.get("card", {})
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise CheckpointError(f"{config_path}: not a model's config.json ({error!r})") from None
    try:
        model.load_state_dict({name: value.float() for name, value in load_file(weights_path).items()})
        if (folder / "examples.safetensors").is_file():
            model.examples = load_file(folder / "examples.safetensors")
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{weights_path}: does not hold this model's weights ({error})") from None
    return model.eval()


def save_checkpoint(folder: Path, model: MRVAE, state: dict[str, Any], step: int) -> Path:
    """Write `folder/step-N` whole, then drop the older checkpoints."""
    path = folder / f"step-{step:08d}"
    with atomic_folder(path) as partial:
        write_model(model, partial)
        torch.save(state, partial / "state.pt")
    for older in checkpoints(folder)[:-1]:
        shutil.rmtree(older)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def load_state(path: Path) -> dict[str, Any]:
    """The training state of a checkpoint: tensors and plain values only, nothing is executed."""
    try:
        return torch.load(path / "state.pt", weights_only=True)
    except Exception as error:  # a damaged file can fail anywhere inside torch's reader, with any error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path / 'state.pt'}: cannot be read ({reason}); delete {path} to go on without it"
                              ) from None


def load_run(path: str | os.PathLike[str]) -> MRVAE:
    """The model of a run folder: the finished one, else its newest checkpoint; a model folder works as well.

    Raises:
        CheckpointError: there is none; names the folder.
    """
    folder = Path(path)
    for candidate in (folder / "model", folder, *reversed(checkpoints(folder / "checkpoints"))):
        if (candidate / "config.json").is_file():
            return load_model(candidate)
    raise CheckpointError(f"{folder}: no model here; expected model/config.json or checkpoints/step-*, "
                          f"as written by mrvae train")


