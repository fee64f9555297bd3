"""What four bits find in colour photographs: the section on CIFAR-10 in docs/results.md.

    python benchmarks/cifar.py [SET] [--seeds 3]

SET is `cifar10` or the path of an .npz file of colour images with labels. The share explained is 1 minus the variance
within codes over the variance of all test images. About a minute a seed on one core.
"""

from __future__ import annotations

import argparse

import torch
from sklearn.cluster import KMeans

from mrvae_lib import encode_set, load_config, load_dataset, train
from mrvae_lib.analysis.evaluation import majority_accuracy
from mrvae_lib.data import ImageSet

N_TRAIN, N_CODES = 10_000, 16


def looks(images: ImageSet) -> dict[str, torch.Tensor]:
    """Simple properties of each image, (N,)."""
    x = images.floats()
    grey = x.mean(dim=1)
    half, quarter = grey.shape[1] // 2, grey.shape[1] // 4
    return {
        "upper less lower half": grey[:, :half].mean((1, 2)) - grey[:, half:].mean((1, 2)),
        "red less blue": x[:, 0].mean((1, 2)) - x[:, 2].mean((1, 2)),
        "brightness": grey.mean((1, 2)),
        "contrast": grey.flatten(1).std(dim=1),
        "left less right half": grey[:, :, :half].mean((1, 2)) - grey[:, :, half:].mean((1, 2)),
        "centre less all": grey[:, quarter:-quarter, quarter:-quarter].mean((1, 2)) - grey.mean((1, 2)),
    }


def share_explained(groups: torch.Tensor, values: torch.Tensor) -> float:
    within = sum(((values[groups == g] - values[groups == g].mean()) ** 2).sum() for g in groups.unique())
    return 1 - float(within / ((values - values.mean()) ** 2).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", nargs="?", default="cifar10")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    images, test = load_dataset(arguments.set).first(N_TRAIN), load_dataset(arguments.set, "test")
    commonest = int(test.labels.bincount().max())
    print(f"{len(images):,} training and {len(test):,} test images; commonest label {commonest}")

    def say(name: str, of_train: torch.Tensor, of_test: torch.Tensor) -> None:
        found = ", ".join(f"{look} {share_explained(of_test, values):.2f}" for look, values in looks(test).items())
        print(f"{name}: label accuracy {majority_accuracy(of_train, images.labels, of_test, test.labels):.3f}, "
              f"{len(of_test.unique())} in use; {found}", flush=True)

    pixels = [part.floats().flatten(1).numpy() for part in (images, test)]
    means = KMeans(N_CODES, n_init=3, random_state=0).fit(pixels[0])
    say("k-means on pixels", torch.tensor(means.labels_).long(), torch.tensor(means.predict(pixels[1])).long())
    for seed in range(arguments.seeds):
        model = train(load_config("digits", overrides=[
            "train.epochs=15", "train.lr=1e-3", "train.precision=fp32", f"train.seed={seed}",
            "objective.pose={ rotation = 0, shear = 0.05, scale = 0.1, shift = 0.1 }"]), images=images)
        say(f"code, seed {seed}", *(encode_set(model, part).code_index for part in (images, test)))


if __name__ == "__main__":
    main()
