"""What the explorer shows, as plain values, and how they become a picture. No widgets here."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mrvae_lib.model.codes import code_name
from mrvae_lib.model.vae import MRVAE


@dataclass(frozen=True)
class ExplorerState:
    """One view: the reals, the bits, and the example they started from."""

    z: tuple[float, ...]
    b: tuple[int, ...]
    example: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "z", tuple(float(value) for value in self.z))
        object.__setattr__(self, "b", tuple(int(bit) for bit in self.b))
        if not set(self.b) <= {0, 1}:
            raise ValueError(f"state: bits must be 0 or 1, got {self.b}")

    @classmethod
    def from_latents(cls, z: Tensor, b: Tensor, example: int | None = None) -> ExplorerState:
        """The view at z (D,) and b (K,)."""
        return cls(tuple(z.tolist()), tuple(int(bit) for bit in b.tolist()), example)

    @classmethod
    def from_json(cls, text: str) -> ExplorerState:
        """The view written by `to_json`.

        Raises:
            ValueError: not such a text; says what was expected.
        """
        try:
            fields = json.loads(text)
            return cls(tuple(fields["z"]), tuple(fields["b"]), fields.get("example"))
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f'state: expected {{"z": [...], "b": [...], "example": n or null}}, '
                             f"got {text!r} ({error})") from None

    def to_json(self) -> str:
        """The view as text, to be kept or shared."""
        return json.dumps(asdict(self))

    def with_real(self, i: int, value: float) -> ExplorerState:
        """The view with one real moved."""
        return replace(self, z=(*self.z[:i], float(value), *self.z[i + 1 :]))

    def with_bit(self, k: int, value: int) -> ExplorerState:
        """The view with one bit set."""
        return replace(self, b=(*self.b[:k], int(value), *self.b[k + 1 :]))

    @property
    def code(self) -> str:
        """The bits as text, b0 first."""
        return code_name(torch.tensor(self.b))


@torch.inference_mode()
def decode_state(model: MRVAE, state: ExplorerState) -> np.ndarray:
    """The picture of a view, (H, W) or (H, W, 3) uint8."""
    z = torch.tensor([state.z], dtype=torch.float32).reshape(1, len(state.z))
    b = torch.tensor([state.b], dtype=torch.float32).reshape(1, len(state.b))
    picture = model.decode(z, b)[0].mul(255).round().byte().permute(1, 2, 0).numpy()
    return picture[:, :, 0] if picture.shape[2] == 1 else picture


def png_bytes(picture: np.ndarray) -> bytes:
    """A uint8 picture as PNG, at its own size."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def inline_image(picture: np.ndarray, *, alt: str, width: int) -> str:
    """A uint8 picture as an <img> that carries its own data; the browser scales it without smoothing."""
    data = base64.b64encode(png_bytes(picture)).decode()
    height = round(width * picture.shape[0] / picture.shape[1])
    return (f'<img alt="{alt}" width="{width}" height="{height}" '
            f'style="image-rendering:pixelated;border-radius:4px" src="data:image/png;base64,{data}">')
