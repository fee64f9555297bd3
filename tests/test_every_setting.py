"""No setting is dead: changing any one of them changes what a run leaves behind. Source 000 had seven that did nothing."""

import tempfile
from functools import cache

import pytest
import torch

from mrvae_lib.config import parse_config
from mrvae_lib.training.loop import train
from tests.conftest import History, tiny_images, tiny_run

EVERY_TERM = (
    "objective.gamma_z=1", "objective.capacity_z=1", "objective.gamma_b=1", "objective.capacity_b=1",
    "objective.lambda_tc=1", "objective.tc=discriminator", "objective.discriminator.hidden=[4]",
    "objective.lambda_information=2", "objective.lambda_aggregate=1", "objective.lambda_consistency=1",
    "objective.lambda_reading=1", "objective.estimator=concrete", "train.plateau=5", "train.epochs=2", "model.hidden=[4, 16]",
)
"""A run in which every weight acts."""
LAYERS = ("model.network=layers", 'model.encoder=["linear 8, relu"]', 'model.decoder=["linear 64, view 1x8x8"]')

CHANGES = {change.partition("=")[0]: change for change in (
    "data.limit=40", "model.n_reals=3", "model.n_bits=2", "model.network=conv", "model.hidden=[4, 12]",
    "model.likelihood=gaussian", "model.frame=round", "model.posed=true", 'model.encoder=["linear 8, tanh"]',
    'model.decoder=["linear 8, relu, linear 64, view 1x8x8"]', "model.spread=0.37", "objective.tc=stratified",
    "objective.estimator=exact", "objective.discriminator.hidden=[6]", "objective.pose.mirror=true", "train.plateau=0",
    "train.precision=bf16", "train.epochs=3", "train.batch_size=8", "train.checkpoint_every=2", "train.seed=1",
    "train.lr=0.37", "train.weight_decay=0.37",
    *(f"objective.{name}=0.37" for name in (
        "beta_z", "beta_b", "gamma_z", "capacity_z", "gamma_b", "capacity_b", "lambda_tc", "lambda_information",
        "lambda_aggregate", "lambda_consistency", "lambda_reading", "temperature", "discriminator.lr", "pose.rotation",
        "pose.shear", "pose.scale", "pose.shift", "pose.elastic", "pose.contrast", "pose.specks")),
)}
SEEN_ELSEWHERE = {"about": "test_outputs", "data.name": "test_cli", "data.size": "test_own", "data.fit": "test_own", "data.channels": "test_own", "data.invert": "test_own", "train.pictures": "test_outputs", "train.device": "test_training"}


class Watch(History):
    """Everything a run tells, and after which steps it left checkpoints."""

    def __init__(self):
        super().__init__()
        self.checkpoints = set()

    def on_step(self, run, terms, weights):
        self.checkpoints |= {path.name for path in (run.folder / "checkpoints").glob("step-*")}


@cache
def left_behind(*settings):
    config, watch = parse_config(tiny_run(plateau=5).model_dump(), settings), Watch()
    with tempfile.TemporaryDirectory() as folder:
        model = train(config, folder, images=tiny_images(), callbacks=[watch])
    weights = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    return watch.rows, watch.checkpoints, weights.tolist()


def keys(table, prefix=""):
    return {key for name, value in table.items()
            for key in (keys(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name])}


def test_every_setting_is_tried_here_or_where_it_is_said():
    assert keys(tiny_run().model_dump(exclude={"source"})) == set(CHANGES) | set(SEEN_ELSEWHERE)


def test_the_same_settings_leave_the_same_behind():
    assert left_behind.__wrapped__(*EVERY_TERM) == left_behind(*EVERY_TERM)


@pytest.mark.parametrize("key", CHANGES)
def test_a_setting_changes_what_a_run_leaves_behind(key):
    before = EVERY_TERM + (LAYERS if key in ("model.encoder", "model.decoder") else ())
    before += ("model.n_reals=6", "model.frame=round") if key == "model.posed" else ()
    before += ("model.likelihood=gaussian",) if key == "model.spread" else ()
    before += ("train.lr=1e-9", "train.epochs=5", "objective.beta_z=1") if key == "train.plateau" else ()
    assert left_behind(*before, CHANGES[key]) != left_behind(*before)
