"""The contact sheet of the drawn faces, docs/faces.png.

    python benchmarks/faces.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import torch

from mrvae_lib.analysis.figures import show_pictures
from mrvae_lib.data.faces import PARTS, draw_faces, random_factors

SHEET = Path(__file__).parents[1] / "docs" / "faces.png"


def main() -> None:
    """Draw the contact sheet: a plain face, each part alone, all parts; below them random faces, grey and in colour."""
    n = len(PARTS)
    worn = torch.cat([torch.zeros(1, n), torch.eye(n), torch.ones(1, n)]).long()
    middle = torch.tensor([8, 8, 8, 8, 15, 7]).expand(len(worn), -1)
    one_by_one = draw_faces(torch.cat([worn, middle], dim=1))
    grey, coloured = (draw_faces(random_factors(30, colour, seed=1)).expand(-1, 3, -1, -1) for colour in (False, True))

    figure, (above, below) = plt.subplots(2, 1, figsize=(8, 5.9), height_ratios=(40, 199), layout="constrained")
    show_pictures(one_by_one / 255, len(worn), above, captions=("plain", *PARTS, "all parts"))
    show_pictures(torch.cat([grey, coloured]) / 255, len(worn), below)
    figure.savefig(SHEET, dpi=150)


if __name__ == "__main__":
    main()
