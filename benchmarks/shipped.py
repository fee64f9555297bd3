"""Measure the shipped models, as Markdown for docs/results.md: scores beside an untrained network, and every latent.

    python benchmarks/shipped.py [NAME ...] [--dci]

Without names, all of them. `--dci` takes DCI as published, minutes per model, in the place of its fast variant. A model
whose data set is not there is named and left out.
"""

from __future__ import annotations

import argparse

from mrvae_lib.analysis.measurement import measure
from mrvae_lib.analysis.tables import markdown_report
from mrvae_lib.data import DataError, load_dataset
from mrvae_lib.training.checkpoints import load_model, pretrained_names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=pretrained_names())
    parser.add_argument("--dci", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.names:
        model = load_model(name)
        data = model.card["run"]["data"]["name"]
        try:
            test, train = load_dataset(data, "test"), load_dataset(data, "train")
        except DataError as error:
            print(f"## {name}\n\nNot measured: {error}\n", flush=True)
            continue
        measured = measure(model, test, train, slow_dci=arguments.dci)
        print(markdown_report(name, measured), flush=True)


if __name__ == "__main__":
    main()
