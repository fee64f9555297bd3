"""Can each part of a face get a bit of its own? Ours and its rivals, seed by seed: one JSON line a run.

    python benchmarks/parts.py                          every run that is not in docs/parts.jsonl yet, then the table
    python benchmarks/parts.py parts mlp --seeds 0 1    some methods and seeds only
    python benchmarks/parts.py --table                  trains nothing

All but *together*, ICA and k-means see 40,000 faces in batches of 64 for 14 epochs, 8,750 steps.
Every rival's encoder has layers of 512 and 256, its decoder mirrors them. A real that stands in place of a bit becomes
one by a threshold at its median. Labels are used to score only. A run takes two to five minutes on one core; one that
has a line is skipped. docs/parts.md says what was found.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from kept import DOCS, Line, Lines, rounded
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import FastICA
from torch import Tensor, nn

from mrvae_lib import encode_set, load_config, load_dataset
from mrvae_lib.analysis.factor_scores import factor_scores
from mrvae_lib.analysis.part_scores import factor_reader, part_scores, yes_or_no
from mrvae_lib.config import value_at
from mrvae_lib.data import ImageSet
from mrvae_lib.data.image_set import shuffled_batches
from mrvae_lib.model.latents import sample_normal
from mrvae_lib.model.networks import mlp_decoder, mlp_encoder
from mrvae_lib.model.vae import MRVAE, Posterior

LINES = Lines(DOCS / "parts.jsonl")
MLP = ("model.n_bits=16", "model.network=mlp", "model.hidden=[512,256]")
LATER = "train.lr=[[0, 1e-3], [0.8, 1e-3], [1, 2e-5]]"
"""The rates of all rivals, which fall a little later than the preset's."""
RELAXED = (LATER, "objective.beta_z=[[0, 1], [0.15, 1], [0.35, 0.17], [0.85, 0.17], [0.97, 1], [1, 1]]",
           "objective.beta_b=[[0, 0], [0.1, 1], [0.15, 1], [0.35, 0.1], [0.62, 0.1], [0.82, 1.5], [0.92, 0.4], "
           "[1, 0.4]]")
REALS_ONLY = (*MLP, LATER, "model.n_bits=0", "model.n_reals=13", "objective.beta_b=0")
SURVIVING = (*MLP, LATER, "model.n_bits=8", "objective.beta_z=1", "objective.beta_b=0",
             "objective.lambda_aggregate=[[0, 60], [0.3, 0], [1, 0]]", "objective.lambda_information=60",
             "objective.lambda_consistency=[[0, 0], [0.1, 0], [0.4, 30], [1, 30]]",
             "objective.lambda_reading=[[0, 0], [0.3, 0], [0.4, 5], [1, 5]]",
             "objective.pose={rotation=15, shear=0, shift=0.12, scale=0.2, contrast=0.3}")
"""The objective of the other presets: information is rewarded, and what survives T."""
CAPACITY_Z, CAPACITY_B = 18.0, 8 * math.log(2)
"""Nats: what five reals of a face need, and eight parts."""
OURS: dict[str, tuple[str, ...]] = {
    "parts": (),
    "parts, together": (),
    "parts, colour": ("data.name=faces-colour",),
    "mlp": (*MLP, *RELAXED),
    "mlp, information and T": SURVIVING,
    "joint-vae, 8 choices of two": (
        *MLP, LATER, "model.n_bits=8", "objective.beta_z=0", "objective.beta_b=0",
        "objective.gamma_z=30", "objective.gamma_b=30",
        f"objective.capacity_z=[[0,0],[0.5,{CAPACITY_Z}]]", f"objective.capacity_b=[[0,0],[0.5,{CAPACITY_B}]]",
        "objective.temperature=0.67"),
    "beta-VAE, 13 reals": (*REALS_ONLY, "objective.beta_z=4"),
    "beta-TCVAE, 13 reals": (*REALS_ONLY, "objective.beta_z=1", "objective.lambda_tc=5"),
}
"""What each changes in the preset; *together* sees faces of which 80 % have both hat and glasses or neither."""
N_BITS, N_REALS, N_LEVELS = 16, 5, 16
"""Of the rivals that are written here."""


class Scored(Protocol):
    """What `part_scores` asks of a model."""

    n_bits: int

    def decode(self, mu: Tensor, bits: Tensor) -> Tensor: ...


def sure(bits: Tensor, mu: Tensor | None = None) -> Posterior:
    """Hard bits (N, K), and reals if there are any, as a posterior."""
    mu = torch.zeros(len(bits), 0) if mu is None else mu
    return Posterior(mu, torch.full_like(mu, -20), 40.0 * bits - 20)


class Thresholded:
    """A model of reals whose bits say on which side of its median each lies; a flip takes it to that side's mean."""

    def __init__(self, model: MRVAE, mu: Tensor) -> None:
        self.model, self.n_bits, self.middle = model, model.n_reals, mu.median(dim=0).values
        above = mu > self.middle
        self.sides = torch.stack([(mu * side).sum(dim=0) / side.sum(dim=0).clamp_min(1) for side in (~above, above)])

    def codes(self, mu: Tensor) -> Posterior:
        return sure((mu > self.middle).float(), mu)

    def decode(self, mu: Tensor, bits: Tensor) -> Tensor:
        other = torch.where(bits > 0, self.sides[1], self.sides[0])
        return self.model.decode(torch.where((mu > self.middle) == (bits > 0), mu, other), bits[:, :0])


class Quantised(nn.Module):
    """QLAE: latents of two learned values and 5 of sixteen, no price but on the distance to the nearest value.

    Source: Hsu et al., Disentanglement via Latent Quantization (2023): weights 0.01 on both distances, beside the mean
    over pixels of the cross entropy, and a weight decay of 0.1.
    """

    weight_decay = 0.1

    def __init__(self, shape: tuple[int, int, int], n_bits: int = N_BITS) -> None:
        super().__init__()
        self.n_bits = n_bits
        self.encoder = mlp_encoder(shape, n_bits + N_REALS, (512, 256))
        self.decoder = mlp_decoder(shape, n_bits + N_REALS, (512, 256))
        self.values = nn.ParameterList([*(torch.linspace(-0.5, 0.5, 2) for _ in range(n_bits)),
                                        *(torch.linspace(-0.5, 0.5, N_LEVELS) for _ in range(N_REALS))])

    def places(self, h: Tensor) -> Tensor:
        """The number of the value nearest to each latent, (N, 21)."""
        nearest = [(h[:, i, None] - values).abs().argmin(dim=1) for i, values in enumerate(self.values)]
        return torch.stack(nearest, dim=1)

    def look_up(self, places: Tensor) -> Tensor:
        return torch.stack([values[places[:, i]] for i, values in enumerate(self.values)], dim=1)

    def loss(self, x: Tensor, progress: float) -> Tensor:
        h = self.encoder(x)
        quantised = self.look_up(self.places(h))
        logits = self.decoder(h + (quantised - h).detach())
        return (F.binary_cross_entropy_with_logits(logits, x) + 0.01 * F.mse_loss(quantised, h.detach())
                + 0.01 * F.mse_loss(h, quantised.detach()))

    def codes(self, x: Tensor) -> Posterior:
        places = self.places(self.encoder(x)).float()
        return sure(places[:, :self.n_bits], places[:, self.n_bits:])

    def decode(self, mu: Tensor, bits: Tensor) -> Tensor:
        return self.decoder(self.look_up(torch.cat([bits, mu], dim=1).long())).sigmoid()


class OneChoice(nn.Module):
    """joint-vae with one choice of sixteen beside five reals; a bit for each value of the choice.

    Source: Dupont, Learning Disentangled Joint Continuous and Discrete Representations (2018), gamma 30.
    """

    n_bits = N_BITS
    weight_decay = 0.0

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.encoder = mlp_encoder(shape, 2 * N_REALS + N_BITS, (512, 256))
        self.decoder = mlp_decoder(shape, N_REALS + N_BITS, (512, 256))

    def loss(self, x: Tensor, progress: float) -> Tensor:
        mu, logvar, logits = self.encoder(x).split([N_REALS, N_REALS, N_BITS], dim=1)
        choice = F.gumbel_softmax(logits, tau=0.67)
        drawn = self.decoder(torch.cat([sample_normal(mu, logvar), choice], dim=1))
        kl_z = Posterior(mu, logvar, mu[:, :0]).kl_reals().sum(dim=1).mean()
        kl_c = (logits.softmax(dim=1) * (logits.log_softmax(dim=1) + math.log(N_BITS))).sum(dim=1).mean()
        share = min(1, 2 * progress)
        return (F.binary_cross_entropy_with_logits(drawn, x, reduction="none").sum(dim=(1, 2, 3)).mean()
                + 30 * (kl_z - share * CAPACITY_Z).abs() + 30 * (kl_c - share * math.log(N_BITS)).abs())

    def codes(self, x: Tensor) -> Posterior:
        return sure(F.one_hot(self.encoder(x)[:, 2 * N_REALS:].argmax(dim=1), N_BITS).float())


def trained(rival: nn.Module, images: ImageSet) -> nn.Module:
    """The rival after as many steps as `mrvae train faces` takes."""
    settings, step = load_config("faces", overrides=[LATER]).train, 0
    optimizer = torch.optim.AdamW(rival.parameters(), weight_decay=rival.weight_decay)
    n_steps = settings.epochs * (len(images) // settings.batch_size)
    for _ in range(settings.epochs):
        for places in shuffled_batches(len(images), settings.batch_size, torch.default_generator):
            optimizer.param_groups[0]["lr"] = value_at(settings.lr, step / n_steps)
            loss = rival.loss(images.floats(places), step / n_steps)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    return rival.eval()


def without_network(method: str, seed: int, images: ImageSet, test: ImageSet) -> Posterior:
    """ICA of 13 sources, cut at their medians, or k-means with 16 clusters, a bit each, on raw pixels."""
    known, asked = (part.floats().flatten(1).numpy() for part in (images.first(10_000), test))
    if method == "k-means":
        clusters = MiniBatchKMeans(N_BITS, n_init=3, random_state=seed).fit(known).predict(asked)
        return sure(F.one_hot(torch.from_numpy(clusters).long(), N_BITS).float())
    ica = FastICA(13, whiten="unit-variance", max_iter=500, random_state=seed).fit(known)
    sources = torch.from_numpy(ica.transform(asked))
    return sure((sources > sources.median(dim=0).values).float())


def scores(model: Scored, codes: Posterior, test: ImageSet, reader: nn.Module | None) -> Line:
    """The figures of one line."""
    found = {result.name: result for result in part_scores(model, codes, test, reader)}
    own = found["parts found, a bit each"]
    line: Line = {name: result.score for name, result in found.items()}
    parts = test.factors[:, yes_or_no(test)].numpy()
    dci = factor_scores(codes.bits.numpy(), None, parts, only=("DCI-histogram",))
    line |= {name: result.score for name, result in dci.items()}
    return rounded(line | {"worst": min(own.per_factor), "agreement": list(own.per_factor)}
                   | {f"{name}, of each": list(found[name].per_factor) for name in found if name.startswith("a flip")})


def together(images: ImageSet) -> ImageSet:
    """The faces that have both hat and glasses or neither, and a quarter of the others: 80 % have both or neither."""
    hat, glasses = (images.factors[:, images.factor_names.index(name)] for name in ("hat", "glasses"))
    quarter = torch.arange(len(images)) % 4 == 0
    return images.subset(((hat == glasses) | quarter).nonzero()[:, 0])


class Bench:
    """The faces, in grey or colour, and a reader of their factors, made when they are first asked for."""

    def __init__(self, runs: Path) -> None:
        self.runs, self.known = runs, dict[str, tuple[ImageSet, ImageSet, nn.Module]]()

    def of(self, name: str) -> tuple[ImageSet, ImageSet, nn.Module]:
        if name not in self.known:
            images, test = load_dataset(name, "train"), load_dataset(name, "test")
            self.known[name] = images, test, factor_reader(images)
        return self.known[name]

    def run(self, method: str, seed: int) -> None:
        """Train and score one run, unless it has a line."""
        key = {"method": method, "seed": seed}
        if LINES.find(key):
            return
        images, test, reader = self.of("faces-colour" if method == "parts, colour" else "faces")
        if method in OURS:
            settings = [*OURS[method], f"train.seed={seed}", "train.pictures=none"]
            if method == "parts, together":
                images = together(images)
                settings.append("train.epochs=22")  # as many steps on fewer images

            def figures(model: MRVAE, *_: ImageSet) -> Line:
                codes = encode_set(model, test)
                if model.n_bits:
                    return scores(model, codes, test, reader)
                bits = Thresholded(model, codes.mu)
                return scores(bits, bits.codes(codes.mu), test, reader)

            LINES.run(key, "faces", settings, figures, self.runs, images=images)
            return
        torch.manual_seed(seed)
        began = time.process_time()
        if method in ("ICA", "k-means"):
            codes, model = without_network(method, seed, images, test), None
        else:
            model = trained(RIVALS[method](images.image_shape), images)
            with torch.inference_mode():
                codes = model.codes(test.floats())
        seconds = round(time.process_time() - began)
        flippable = isinstance(model, Quantised)
        found = scores(model or OneChoice(images.image_shape), codes, test, reader if flippable else None)
        LINES.add({**key, **found, "cpu_seconds": seconds, "threads": torch.get_num_threads()})


RIVALS = {"joint-vae, 1 choice of sixteen": OneChoice, "QLAE": Quantised,
          "QLAE, 24 of two values": partial(Quantised, n_bits=24)}
METHODS = (*OURS, *RIVALS, "ICA", "k-means")
COLUMNS = {"mean": "parts found, a bit each", "worst": "worst",
           "InfoM": "InfoM of the bits", "InfoC": "InfoC of the bits", "InfoE": "InfoE of the bits",
           "DCI D": "DCI-histogram disentanglement", "DCI C": "DCI-histogram completeness",
           "flip: its part": "a flip changes its part", "another": "a flip changes another part",
           "the rest": "a flip moves the rest"}


def table() -> str:
    """Means over seeds, and every seed's mean agreement, as Markdown."""
    rows = ["| method | every seed | " + " | ".join(COLUMNS) + " |", "| --- " * (2 + len(COLUMNS)) + "|"]
    for method in METHODS:
        lines = sorted((line for line in LINES.all() if line.get("method") == method), key=lambda line: line["seed"])
        if lines:
            known = {name: [line[name] for line in lines if name in line] for name in COLUMNS.values()}
            figures = {name: min(values) if name == "worst" else statistics.mean(values)
                       for name, values in known.items() if values}
            seeds = ", ".join(f"{value:.3f}" for value in known["parts found, a bit each"])
            cells = [f"{figures[name]:.3f}" if name in figures else "" for name in COLUMNS.values()]
            rows.append(f"| {' | '.join([method, seeds, *cells])} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=f"of {'; '.join(METHODS)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--runs", type=Path, default=Path("runs/parts"), help="where the runs are kept")
    parser.add_argument("--table", action="store_true", help="train nothing")
    asked = parser.parse_args()
    if unknown := sorted({*asked.methods} - {*METHODS}):
        parser.error(f"there is no method {unknown[0]!r}; there are {'; '.join(METHODS)}")
    bench = Bench(asked.runs)
    for seed in asked.seeds if not asked.table else ():
        for method in asked.methods or METHODS:
            bench.run(method, seed)
    print(table())


if __name__ == "__main__":
    main()
