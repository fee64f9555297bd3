"""What was measured, as rows of text."""

from collections.abc import Iterable, Sequence

from mrvae_lib.analysis.evaluation import listed, score_rows
from mrvae_lib.analysis.latent_report import BitRow, Measurement, RealRow
from mrvae_lib.analysis.scoring import MetricResult

Row = tuple[str, ...]


def measurement_rows(measurement: Measurement) -> list[Row]:
    """Name, value, value of the untrained network, and note of everything that was measured."""
    trained, untrained = measurement.trained, measurement.untrained
    control = {row[0]: row[1] for row in score_rows(untrained.scores)}
    rows: list[Row] = [(name, value, control.get(name, ""), note) for name, value, note in score_rows(trained.scores)]
    for name, result in trained.metrics.items():
        factors = result.settings.get("factors", measurement.factor_names)
        parts = zip(factors, result.per_factor, strict=False)  # some scores have no parts
        rows.append((name, _value(result), _value(untrained.metrics[name]), listed(parts)))
    return rows


def told_table(measurement: Measurement) -> tuple[Row, list[Row]]:
    """Heads and rows of what the code and z tell of each target, in nats, beside what there is to tell."""
    trained, untrained = measurement.trained.told, measurement.untrained.told
    heads = [f"by {source}{of}" for of in ("", ", untrained") for source in trained]
    found = [*trained.values(), *untrained.values()]
    return ("nats told of", *heads, "of"), [
        # A z in a format makes 0.00 of -0.00.
        (target, *(f"{told[target].score:z.2f}" for told in found), f"{found[0][target].settings['entropy']:.2f}")
        for target in measurement.targets
    ]


def real_table(rows: Iterable[RealRow]) -> tuple[Row, list[Row]]:
    """Heads and rows of the table of reals, most KL first."""
    return ("real", "variance", "KL", "about", "nats told", "R^2"), [
        (row.name, f"{row.posterior_variance:.4f}", f"{row.kl:.2f}", row.about, f"{row.information:.2f}",
         f"{row.r2:.2f}") for row in sorted(rows, key=lambda row: -row.kl)
    ]


def bit_table(rows: Sequence[BitRow], label_names: Sequence[str]) -> tuple[Row, list[Row]]:
    """Heads and rows of the table of bits, shares per label in the order of the labels.

    A bit that knows nothing is called what it is, constant or undecided, where others are named.
    """
    of = f"{label_names[0]} to {label_names[-1]}" if label_names else "each label"
    return ("bit", "nats", "on %", f"on % of {of}", "flip moves", "about", "nats told"), [
        (row.name, f"{row.information:.2f}", f"{100 * row.share_on:.0f}",
         " ".join(f"{100 * share:.0f}" for share in row.share_on_per_class), f"{row.pixel_change:.4f}",
         row.about or row.state, f"{row.about_information:.2f}") for row in rows
    ]


def _value(result: MetricResult) -> str:
    shown = f"{result.score:.3f}" if not float(result.score).is_integer() or result.score < 2 else f"{result.score:.0f}"
    return f"{shown} ± {result.standard_error:.3f}" if result.standard_error else shown


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)
