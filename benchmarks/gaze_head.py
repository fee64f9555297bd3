"""How well gaze is read off a trained model's means, by a line and by source 001's head, on combinations it never saw.

    python benchmarks/gaze_head.py [RUN ...]     without a run: the preset xys, trained for 10 epochs
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from torch import Tensor, nn

from mrvae_lib import encode_set, load_config, load_dataset, load_model, train
from mrvae_lib.data import ImageSet
from mrvae_lib.data.xys import FACTORS

BATCH_SIZE = 64
TANH_RANGE = 2.5
"""The head ends in 0.5 tanh; times this it covers gazes of -1 to 1 without asking tanh for its ends."""


@dataclass(frozen=True)
class Reading:
    """How well gazes are read on test images."""

    r_squared: tuple[float, ...]
    """Of each coordinate; 1 is perfect, 0 no better than the test set's mean."""
    mean_error: float
    """Distance between gaze and reading, mean over images; gazes go from -1 to 1 each way."""


def gaze_head(n_reals: int) -> nn.Sequential:
    """The layers z-2048-1024-2 with leaky ReLUs of slope 0.15, before the final 0.5 tanh."""
    return nn.Sequential(nn.Linear(n_reals, 2048), nn.LeakyReLU(0.15), nn.Linear(2048, 1024), nn.LeakyReLU(0.15),
                         nn.Linear(1024, 2))


def read_gaze(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], *, epochs: int = 60, seed: int = 0
              ) -> dict[str, Reading]:
    """Fit both readers on training images and score them on test images.

    Args:
        train, test: means (N, D) and gazes (N, 2) in [-1, 1].
        epochs: of the head, with Adam at 1e-3 falling to 0.
    Returns:
        `linear` and `head`.
    """
    (mu, gaze), (test_mu, test_gaze) = ((x.float(), y.float()) for x, y in (train, test))
    center, spread = mu.mean(dim=0), mu.std(dim=0).clamp_min(1e-6)
    inputs, test_inputs = (mu - center) / spread, (test_mu - center) / spread
    line = LinearRegression().fit(inputs.double(), gaze.double())
    head = _fit(inputs, gaze, epochs, seed)
    with torch.inference_mode():
        read = _looking(head, test_inputs)
    return {"linear": _score(torch.from_numpy(line.predict(test_inputs.double())), test_gaze),
            "head": _score(read, test_gaze)}


def gazes(images: ImageSet) -> Tensor:
    """Where each face of XYS looks, (N, 2): x and y from -1 to 1."""
    return torch.stack([torch.tensor(FACTORS[name])[images.factors[:, i]] for i, name in enumerate(("x", "y"))], dim=1)


def _fit(x: Tensor, gaze: Tensor, epochs: int, seed: int) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = gaze_head(x.shape[1])
        optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
        slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
        for _ in range(epochs):
            for indices in torch.randperm(len(x)).split(BATCH_SIZE):
                loss = F.mse_loss(_looking(head, x[indices]), gaze[indices])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            slower.step()
    return head


def _looking(head: nn.Sequential, x: Tensor) -> Tensor:
    return TANH_RANGE * 0.5 * torch.tanh(head(x))


def _score(read: Tensor, gaze: Tensor) -> Reading:
    return Reading(tuple(r2_score(gaze, read, multioutput="raw_values").tolist()),
                   float((read - gaze).norm(dim=1).mean()))


def main() -> None:
    models = {run: load_model(run) for run in sys.argv[1:]}
    if not models:
        models = {"xys, 10 epochs": train(load_config("xys", overrides=["train.epochs=10"]))}
    for name, model in models.items():
        data = model.card.get("data", "xys")
        sets = [load_dataset(data, split) for split in ("train", "test")]
        pairs = [(encode_set(model, images).mu, gazes(images)) for images in sets]
        for reader, reading in read_gaze(*pairs).items():
            x, y = reading.r_squared
            print(f"{name}: {reader:6} R^2 of x {x:.3f}, of y {y:.3f}, mean error {reading.mean_error:.3f}")


if __name__ == "__main__":
    main()
