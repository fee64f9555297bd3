"""DCI as published with disentanglement_lib, of shipped models and of untrained networks of the same shape.

    python benchmarks/published_dci.py [NAME ...]

Without names, dsprites-mrvae. Gradient-boosted trees take minutes per network; `factor_scores.dci_histogram` takes
seconds and means something slightly different by importance, so the two never stand in one table.
"""

from __future__ import annotations

import argparse

import numpy as np

from mrvae_lib.analysis.evaluation import encode_set, scored_part
from mrvae_lib.analysis.factor_scores import code_columns, dci_of_importances
from mrvae_lib.analysis.latent_report import untrained
from mrvae_lib.analysis.scoring import Array, MetricResult, checked, train_and_test
from mrvae_lib.data import load_dataset
from mrvae_lib.training.checkpoints import load_model


def published_dci(codes: Array, factors: Array, *, n_train: int = 10_000, n_test: int = 5_000) -> list[MetricResult]:
    """Gradient-boosted trees, importance = the impurity they remove.

    A category number is a number to these trees. Constant codes have disentanglement and completeness 0.

    Args:
        codes: (N, D).
        factors: (N, F >= 2) integers.
    Raises:
        ValueError: see `scoring.checked`.

    Source: Eastwood and Williams, A Framework for the Quantitative Evaluation of Disentangled Representations (2018).
    """
    from sklearn.ensemble import GradientBoostingClassifier

    codes, factors = checked(codes, factors)
    train, test, settings = train_and_test(len(codes), n_train, n_test)
    models = [GradientBoostingClassifier(random_state=0).fit(codes[train], y[train]) for y in factors.T]
    right = np.stack([model.predict(codes[test]) for model in models], axis=1) == factors[test]
    importance = np.stack([model.feature_importances_ for model in models], axis=1)
    return dci_of_importances("DCI", importance, right, settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", default=["dsprites-mrvae"])
    for name in parser.parse_args().names:
        model = load_model(name)
        images = scored_part(load_dataset(model.card["run"]["data"]["name"], "test"))
        for kind, network in (("trained", model), ("untrained", untrained(model))):
            codes = encode_set(network, images)
            columns = code_columns(codes.mu.numpy(), codes.bits.numpy())
            for result in published_dci(columns, images.factors.numpy()):
                print(f"{name}, {kind}: {result.name} {result.score:.3f}", flush=True)


if __name__ == "__main__":
    main()
