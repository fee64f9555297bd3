"""The beta panel: every control moves the answer, and the answer is the converter's."""

import pytest

from mrvae_lib.config import SourceConfig
from mrvae_lib.dialects.beta import CONVENTIONS, beta_norm
from mrvae_lib.interactive.beta_panel import BetaPanel


def test_it_opens_on_the_setting_it_is_given():
    source = SourceConfig(beta=5000, convention="kl-batch-mean", batch_size=16, n_images=100)
    panel = BetaPanel(source, image_shape=(3, 256, 256), n_reals=10)
    assert panel.source == source
    assert panel.beta_eff == 312.5
    assert "beta_eff 312.5<" in panel.answer.value
    assert f"beta_norm {beta_norm(312.5, 10, (3, 256, 256)):.4g} (10 reals" in panel.answer.value


@pytest.mark.parametrize(("control", "value"), [("beta", 0.2), ("batch_size", 64), ("n_images", 1000), ("n_reals", 7),
                                                ("convention", "batch-sum")])
def test_each_control_changes_what_is_shown(control, value):
    panel = BetaPanel()
    before = panel.answer.value
    getattr(panel, control).value = value
    assert panel.answer.value != before


def test_the_weight_of_the_kl_there_is_shown_and_follows_the_batch_size():
    panel = BetaPanel()  # 0.1 times batch 256 of 48,000 images
    assert "0.1 &middot; 0.005333 KL" in panel.answer.value
    assert "<b>0.0005333</b> KL" in panel.answer.value
    panel.batch_size.value = 512
    assert "0.1 &middot; 0.01067 KL" in panel.answer.value
    assert "<b>0.001067</b> KL" in panel.answer.value
    assert "beta_eff 0.8363" in panel.answer.value


def test_every_convention_says_what_it_does():
    panel = BetaPanel()
    for name, description in CONVENTIONS.items():
        panel.convention.value = name
        assert description in panel.answer.value


def test_where_there_is_no_kernel_the_answer_is_text():
    assert "beta_eff 0.4181" in BetaPanel()._repr_mimebundle_()["text/plain"]
