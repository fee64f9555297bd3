"""Does one flip change one part? A classifier reads 1,000 faces before and after the bit of each part is flipped.

    python benchmarks/flips.py faces-mrvae                    a shipped model
    python benchmarks/flips.py runs/faces-sweep/train.seed=*  runs of `mrvae sweep faces --seeds 5`

The classifier is a small convolutional network that was trained with labels on real faces and on none of the model's
pictures. Printed are how often the part of the bit changed, how often another part did (mean over the seven others),
and by how many of 16 levels place, size and tilt moved. The classifier takes a few minutes.
"""

from __future__ import annotations

import argparse
import json

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mrvae_lib import encode_set, load_dataset, load_model
from mrvae_lib.analysis.latent_report import matched_bits
from mrvae_lib.data import ImageSet
from mrvae_lib.data.faces import PARTS
from mrvae_lib.data.image_set import shuffled_batches

N_FACES, EPOCHS = 1000, 10
N_WAYS = 4
"""Across, down, size and tilt."""


def classifier(images: ImageSet) -> nn.Module:
    """A network from faces to the log-odds of the parts, (B, 8), and the four ways as levels / 15, (B, 4)."""
    torch.manual_seed(0)
    maps = [layer for a, b in ((1, 32), (32, 64), (64, 64))
            for layer in (nn.Conv2d(a, b, 4, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU())]
    network = nn.Sequential(*maps, nn.Flatten(), nn.Linear(64 * 16, 256), nn.ReLU(),
                            nn.Linear(256, len(PARTS) + N_WAYS))
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * (len(images) // 128))
    for _ in range(EPOCHS):
        for places in shuffled_batches(len(images), 128, torch.default_generator):
            parts, ways = known(images, places)
            said = network(images.floats(places))
            loss = F.binary_cross_entropy_with_logits(said[:, :8], parts) + 10 * F.mse_loss(said[:, 8:], ways)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            decay.step()
    return network.eval()


def known(images: ImageSet, places: Tensor) -> tuple[Tensor, Tensor]:
    factors = images.factors[places].float()
    return factors[:, :8], factors[:, 8:8 + N_WAYS] / 15


@torch.inference_mode()
def flipped(name: str, network: nn.Module, test: ImageSet) -> dict[str, float]:
    """What flips of the bits of one model do, means over parts and faces."""
    model, parts = load_model(name), test.factors[:, :8]
    codes = encode_set(model, test)
    own = matched_bits(codes.bits.numpy(), parts.numpy())[0]
    mu, bits = codes.mu[:N_FACES], codes.bits[:N_FACES]
    before = network(model.decode(mu, bits))
    changes, moved = [], []
    for k in own:
        after = network(model.decode(mu, (bits - torch.eye(model.n_bits)[k]).abs()))
        changes.append(((after[:, :8] > 0) != (before[:, :8] > 0)).float().mean(dim=0))
        moved.append(15 * (after[:, 8:] - before[:, 8:]).abs().mean())
    table = torch.stack(changes)  # (bit of a part, part that changed)
    others = (table.sum() - table.trace()) / (len(PARTS) * (len(PARTS) - 1))
    return {"its part changes": float(table.diagonal().mean()), "worst": float(table.diagonal().min()),
            "any one other part changes": float(others), "levels moved": float(torch.stack(moved).mean())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="RUN")
    asked = parser.parse_args()
    test, network = load_dataset("faces", "test"), classifier(load_dataset("faces", "train"))
    with torch.inference_mode():
        said = torch.cat([network(test.floats(places)) for places in torch.arange(len(test)).split(500)])
    parts, ways = known(test, torch.arange(len(test)))
    right, off = float(((said[:, :8] > 0) == parts).float().mean()), float(15 * (said[:, 8:] - ways).abs().mean())
    print(json.dumps({"classifier right on real faces": round(right, 4), "levels off": round(off, 3)}), flush=True)
    for name in asked.models:
        found = {key: round(value, 4) for key, value in flipped(name, network, test).items()}
        print(json.dumps({"model": name} | found), flush=True)


if __name__ == "__main__":
    main()
