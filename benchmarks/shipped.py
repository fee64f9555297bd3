"""Measure the shipped models, as Markdown for docs/results.md: scores beside an untrained network, and every latent.

    python benchmarks/shipped.py [NAME ...]

Without names, all of them. A model whose data set is not there is named and left out. DCI as published is
`benchmarks/published_dci.py`.
"""

from __future__ import annotations

import argparse

from mrvae_lib.analysis.latent_report import Measurement, measure
from mrvae_lib.analysis.tables import bit_table, markdown, measurement_rows, real_table, told_table
from mrvae_lib.data import DataError, load_dataset
from mrvae_lib.training.checkpoints import load_model, pretrained_names


def markdown_report(name: str, measurement: Measurement) -> str:
    """All tables of one model under a heading."""
    source = "factors" if measurement.factor_names else "the label, and proxies measured from the images"
    parts = [f"## {name}", f"{measurement.trained.scores['n_images']:,} test images of {measurement.data}.",
             markdown(("", "trained", "untrained", ""), measurement_rows(measurement))]
    if measurement.targets:
        parts += [f"What is told, at least, of {source}:", markdown(*told_table(measurement))]
    if measurement.reals:
        parts.append(markdown(*real_table(measurement.reals)))
    if measurement.bits:
        parts.append(markdown(*bit_table(measurement.bits, measurement.label_names)))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=pretrained_names())
    arguments = parser.parse_args()
    for name in arguments.names:
        model = load_model(name)
        data = model.card["run"]["data"]["name"]
        try:
            test, train = load_dataset(data, "test"), load_dataset(data, "train")
        except DataError as error:
            print(f"## {name}\n\nNot measured: {error}\n", flush=True)
            continue
        measured = measure(model, test, train)
        print(markdown_report(name, measured), flush=True)


if __name__ == "__main__":
    main()
