"""What was measured, as rows of text: for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from mrvae_lib.analysis.evaluation import informative_reals
from mrvae_lib.analysis.latent_report import BitRow, Measured, Measurement, RealRow
from mrvae_lib.analysis.metric_result import MetricResult
from mrvae_lib.data import ImageSet

Row = tuple[str, ...]


def score_rows(scores: Mapping[str, Any]) -> list[Row]:
    """Name, value and note of each score of an `Evaluation`, given as plain values."""
    kl_of_real, told = scores["kl_of_real"], scores["information_of_bit"]
    active = informative_reals(kl_of_real)
    rows: list[Row] = [
        ("-ELBO on hard bits", f"{scores['neg_elbo']:.2f}", "nats per image"),
        ("reconstruction", f"{scores['reconstruction']:.2f}", "nats"),
        ("KL of z", f"{scores['kl_z']:.2f}", "nats: " + _listed("z", kl_of_real, active)),
        ("active reals", str(len(active)), f"of {len(kl_of_real)}, KL at least 0.1 nats"),
        ("KL of b", f"{scores['kl_b']:.2f}", "nats"),
    ]
    if scores["information_of_code"] is not None:
        rows.append(("information of the code", f"{scores['information_of_code']:.2f}",
                     f"nats: {_listed('b', told, range(len(told)))}"))
    if scores["code_accuracy"] is not None:
        rows.append(("label accuracy of the code", f"{scores['code_accuracy']:.3f}",
                     f"majority label of each hard code, {scores['codes_used']} codes in use"))
        if scores["kmeans_accuracy"] is not None:
            rows.append(("label accuracy of k-means", f"{scores['kmeans_accuracy']:.3f}",
                         "as many clusters as codes"))
    if scores.get("codes_read") is not None:
        rows.append(("codes read from pictures", f"{scores['codes_read']:.3f}", "of one image's z and another's code"))
    return rows


def measurement_rows(measurement: Measurement) -> list[Row]:
    """Name, value, value of the untrained network, and note of everything that was measured."""
    trained, untrained = measurement.trained, measurement.untrained
    control = {row[0]: row[1] for row in score_rows(vars(untrained.scores))}
    rows = [(name, value, control.get(name, ""), note) for name, value, note in score_rows(vars(trained.scores))]
    return [*rows, *((name, _value(result), _value(untrained.metrics[name]),
                      _per_factor(result, measurement.factor_names)) for name, result in trained.metrics.items())]


def told_table(measurement: Measurement) -> tuple[Row, list[Row]]:
    """Heads and rows of what the code and z tell of each target, in nats, beside what there is to tell."""
    trained, untrained = measurement.trained.told, measurement.untrained.told
    heads = [f"by {source}{of}" for of in ("", ", untrained") for source in trained]
    rows: list[Row] = []
    for target in measurement.targets:
        found = [told[target] for told in (*trained.values(), *untrained.values())]
        nats = (f"{round(result.score, 2) + 0.0:.2f}" for result in found)  # never -0.00
        rows.append((target, *nats, f"{found[0].settings['entropy']:.2f}"))
    return ("nats told of", *heads, "of"), rows


def settings_lines(measured: Measured) -> list[str]:
    """How each metric was estimated: its name, then its settings; metrics with the same settings share a line."""
    told = {f"what {source} tells": result for source, by_target in measured.told.items()
            for result in by_target.values()}
    lines: dict[str, list[str]] = {}
    for name, result in (measured.metrics | told).items():
        settings = ", ".join(f"{key} {value}" for key, value in result.settings.items() if key != "entropy")
        lines.setdefault(settings, []).append(name)
    return [f"{', '.join(names)}: {settings}" for settings, names in lines.items()]


def real_table(rows: Iterable[RealRow]) -> tuple[Row, list[Row]]:
    """Heads and rows of the table of reals, most KL first."""
    ordered = sorted(rows, key=lambda row: -row.kl)
    return ("real", "variance", "KL", "about", "nats told", "R^2"), [
        (row.name, f"{row.posterior_variance:.4f}", f"{row.kl:.2f}", row.about, f"{row.information:.2f}",
         f"{row.r2:.2f}") for row in ordered
    ]


def bit_table(rows: Sequence[BitRow], label_names: Sequence[str]) -> tuple[Row, list[Row]]:
    """Heads and rows of the table of bits, shares per label in the order of the labels.

    A bit that knows nothing is called what it is, constant or undecided, where others are named.
    """
    of = f"{label_names[0]} to {label_names[-1]}" if label_names else "each label"
    return ("bit", "nats", "on %", f"on % of {of}", "flip moves", "about", "nats told"), [
        (row.name, f"{row.information:.2f}", f"{100 * row.share_on:.0f}",
         " ".join(f"{100 * share:.0f}" for share in row.share_on_per_class), f"{row.pixel_change:.4f}",
         row.about or row.state.replace("used", ""), f"{row.about_information:.2f}") for row in rows
    ]


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def verdict(code: float, kmeans: float, data: str) -> str:
    """One sentence: whether the accuracy of a code is above that of k-means."""
    if code > kmeans:
        return f"The code beats k-means by {100 * (code - kmeans):.1f} points."
    said = f"k-means beats the code by {100 * (kmeans - code):.1f} points."
    if data == "digits":
        said += " These are few images: with MNIST's 60,000 the code wins (make run DATA=mnist)."
    return said


def label_counts(images: ImageSet) -> str:
    """How many images have each label, by name."""
    if images.labels is None:
        return "none"
    names = images.label_names or tuple(str(i) for i in range(int(images.labels.max()) + 1))
    counts = torch.bincount(images.labels, minlength=len(names)).tolist()
    return ", ".join(f"{name} {count:,}" for name, count in zip(names, counts, strict=True))


def _value(result: MetricResult) -> str:
    shown = f"{result.score:.3f}" if result.score != int(result.score) or result.score < 2 else f"{result.score:.0f}"
    return f"{shown} ± {result.standard_error:.3f}" if result.standard_error else shown


def _per_factor(result: MetricResult, names: Sequence[str]) -> str:
    if len(result.per_factor) != len(names):
        return ""
    return "  ".join(f"{name} {part:.2f}" for name, part in zip(names, result.per_factor, strict=True))


def _listed(letter: str, values: Sequence[float], shown: Iterable[int]) -> str:
    return "  ".join(f"{letter}{i} {values[i]:.2f}" for i in shown) or "none in use"
