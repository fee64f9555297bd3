"""Where the eyes look, read off the means: source 001's gaze head beside a linear regression, on held-out images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH_SIZE = 64
REACH = 2.5
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
        train, test: means (N, D) and gazes (N, 2) in [-1, 1]; of XYS the first two columns of `factor_values`.
        epochs: of the head, with Adam at 1e-3 falling to 0.
    Returns:
        `linear` and `head`.
    """
    (mu, gaze), (test_mu, test_gaze) = ((x.float(), y.float()) for x, y in (train, test))
    center, spread = mu.mean(dim=0), mu.std(dim=0).clamp_min(1e-6)
    inputs, test_inputs = (mu - center) / spread, (test_mu - center) / spread
    ones = [torch.cat([x, torch.ones(len(x), 1)], dim=1).double() for x in (inputs, test_inputs)]
    weights = torch.linalg.lstsq(ones[0], gaze.double(), driver="gelsd").solution
    head = _fit(inputs, gaze, epochs, seed)
    with torch.inference_mode():
        read = _looking(head, test_inputs)
    return {"linear": _score(ones[1] @ weights, test_gaze), "head": _score(read, test_gaze)}


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
    return REACH * 0.5 * torch.tanh(head(x))


def _score(read: Tensor, gaze: Tensor) -> Reading:
    error, gaze = read.double() - gaze.double(), gaze.double()
    r_squared = 1 - error.square().sum(dim=0) / (gaze - gaze.mean(dim=0)).square().sum(dim=0)
    return Reading(tuple(r_squared.tolist()), float(error.norm(dim=1).mean()))
