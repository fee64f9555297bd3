"""Ship the best of several runs: `python tools/ship.py NAME RUN [RUN ...]`.

The run with the lowest mean loss in its last epoch is chosen, no label and no test image being asked; its weights are
stored as fp16 and scored as stored. The card keeps every run's seed, loss and scores, chosen or not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mrvae_lib.analysis.evaluation import encode_set, encoded_examples, evaluate, scored_part
from mrvae_lib.analysis.latent_report import names_of_bits, names_of_reals
from mrvae_lib.analysis.probes import targets
from mrvae_lib.data import load_dataset
from mrvae_lib.training.checkpoints import SHIPPED, load_model, save_model

RECORDED = ("code_accuracy", "kl_z", "neg_elbo", "reconstruction")


def last_loss(run: Path) -> float:
    """The mean loss of a run's last epoch: what the training itself would judge by."""
    return json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["loss"]


def ship(name: str, runs: list[Path]) -> None:
    """Write the best run's model to `mrvae_lib/weights/name`."""
    candidates = []
    for run in runs:
        card = load_model(run).card
        scores = {key: round(card["scores"][key], 4) for key in RECORDED if card["scores"][key] is not None}
        candidates.append({"seed": card["seed"], "last_epoch_loss": round(last_loss(run), 4), **scores})
    best = min(runs, key=last_loss)
    folder = SHIPPED / name
    save_model(load_model(best).half(), folder)
    model = load_model(folder)
    data = model.card["run"]["data"]["name"]
    train, test = load_dataset(data, "train"), load_dataset(data, "test")
    few = scored_part(test)
    codes, asked = encode_set(model, few), targets(few)
    model.card |= {
        "factor_names": list(test.factor_names),
        "names_of_reals": names_of_reals(codes, asked),
        "names_of_bits": names_of_bits(codes, asked),
        "scores": evaluate(model, test, train, test_codes=codes),
        "stored_as": "fp16",
        "chosen_by": "lowest mean loss in the last epoch of training",
        "candidates": candidates,
    }
    model.examples = encoded_examples(model, test)
    save_model(model.half(), folder)
    print(json.dumps(model.card, indent=2))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    ship(sys.argv[1], [Path(run) for run in sys.argv[2:]])
