"""Scores of planted codes whose answers are known."""

import math

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from benchmarks.published_dci import published_dci
from mrvae_lib.analysis.factor_scores import (
    SCORES,
    beta_vae_score,
    code_columns,
    dci_histogram,
    dci_of_importances,
    explicitness,
    factor_scores,
    factor_vae_score,
    group_variance,
    groups,
    indicator_columns,
    mig,
    modularity,
    sap_score,
)

VOTES = {"n_train": 1500, "n_test": 1500}
SPLIT = {"n_train": 2000, "n_test": 1000}


def grid(*sizes, times=1):
    """Every combination of factors, each `times` times."""
    factors = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1).reshape(-1, len(sizes))
    return np.repeat(factors, times, axis=0)


def standardised(factors):
    return (factors - factors.mean(axis=0)) / factors.std(axis=0)


def noise(n, n_columns, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_columns))


def every_score(codes, factors, joint=False):
    """All scores by name, fast settings."""
    results = [
        *(score(codes, factors, **VOTES, joint=joint) for score in (beta_vae_score, factor_vae_score)),
        *(score(codes, factors, joint=joint) for score in (mig, modularity)),
        *(score(codes, factors, **SPLIT, joint=joint) for score in (sap_score, explicitness)),
        *dci_histogram(codes, factors, **SPLIT, joint=joint),
    ]
    return {result.name: result for result in results}


# A perfect code, and noise


def test_a_perfect_code_scores_1():
    factors = grid(2, 2, 2, times=500)
    for name, result in every_score(standardised(factors), factors).items():
        # In SAP the next best column still guesses half of the values of a factor of two.
        assert result.score == (pytest.approx(0.5, abs=0.05) if name == "SAP" else pytest.approx(1, abs=0.01)), name


def test_a_perfect_code_with_noise_columns_still_scores_1_where_noise_columns_do_not_count():
    factors = grid(2, 3, 4, times=200)
    codes = np.column_stack([standardised(factors), noise(len(factors), 2)])
    scores = every_score(codes, factors)
    least = {"FactorVAE score": 0.99, "beta-VAE score": 0.99, "MIG": 0.97, "DCI-histogram disentanglement": 0.97}
    for name, value in least.items():
        assert value < scores[name].score < 1.01, name


def test_20_bins_hold_a_perfect_code_of_dsprites_below_a_mig_of_1():
    factors = grid(3, 6, 40)
    assert mig(factors.astype(float), factors).per_factor == pytest.approx([1, 1, math.log(20) / math.log(40)])


CHANCE = {"MIG": 0, "SAP": 0, "explicitness": 0.5, "DCI-histogram disentanglement": 0, "DCI-histogram completeness": 0}
OF_NOISE = {"beta-VAE score": 1 / 3, "FactorVAE score": 1 / 3, "DCI-histogram informativeness": 0.25}
OF_CONSTANTS = {"beta-VAE score": 0.5, "FactorVAE score": 0, "modularity": 0}


@pytest.mark.parametrize(("factors", "codes", "others", "within"), [
    (grid(4, 4, 4, times=60), noise(3840, 4), OF_NOISE, 0.06),
    (grid(2, 5, times=100), np.full((1000, 2), 0.3), OF_CONSTANTS, 1e-6),
])
def test_noise_and_constant_codes_score_0_or_at_chance(factors, codes, others, within):
    scores = every_score(codes, factors)
    for name, value in (CHANCE | others).items():
        tolerance = max(within, 0.03) if name == "beta-VAE score" else within
        assert scores[name].score == pytest.approx(value, abs=tolerance), name


def test_the_modularity_of_noise_is_what_the_bias_of_mutual_information_makes_it():
    factors = grid(3, 6, 40, times=10)
    bias = (np.array([3, 6, 40]) - 1.0) ** 2
    expected = 1 - (bias.sum() - bias.max()) / (2 * bias.max())
    assert modularity(noise(len(factors), 10), factors).score == pytest.approx(expected, abs=0.01)


# What must not change a score


def entangled(seed=0):
    factors = grid(3, 4, 5, times=50)
    mixing = np.eye(3, 4) + np.random.default_rng(seed).normal(0, 0.3, (3, 4))
    return standardised(factors) @ mixing + 0.3 * noise(len(factors), 4, seed), factors


def test_permuted_and_sign_flipped_columns_and_another_order_of_images_change_no_more_than_the_draws():
    codes, factors = entangled()
    order = np.random.default_rng(1).permutation(len(codes))
    before, flipped = every_score(codes, factors), every_score(-codes[:, [2, 0, 3, 1]], factors)
    reordered = every_score(codes[order], factors[order])
    for name, result in before.items():
        assert flipped[name].score == pytest.approx(result.score, abs=0.03), name
        exact = name in ("MIG", "modularity")
        assert reordered[name].score == pytest.approx(result.score, abs=1e-12 if exact else 0.08), name


def test_a_score_is_repeatable():
    codes, factors = entangled()
    assert explicitness(codes, factors, **SPLIT) == explicitness(codes, factors, **SPLIT)


def turned(codes, degrees):
    angle = math.radians(degrees)
    return codes @ np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def test_an_entangled_code_falls_smoothly_with_the_angle():
    many, two = grid(10, 10, times=20), grid(2, 2, times=1000)
    names = ["MIG", "modularity", "DCI-histogram disentanglement", "DCI-histogram completeness", "SAP"]
    falls = []
    for degrees in range(0, 50, 5):
        codes = turned(standardised(many) + 0.1 * noise(len(many), 2), degrees)
        scores = factor_scores(codes, None, many, only=("MIG", "modularity", "DCI-histogram"))
        # One line per value reads many values badly, so SAP is followed on factors of two values.
        scores["SAP"] = sap_score(turned(standardised(two) + 0.7 * noise(len(two), 2), degrees), two, **SPLIT)
        falls.append([scores[name].score for name in names])
    for name, fall in zip(names, np.transpose(falls), strict=True):
        steps = np.diff(fall)
        assert (steps < 0.03).all(), name
        assert fall[-1] < 0.07, name
        assert steps.min() > -0.6 * fall[0], name


def test_the_scores_that_ask_for_the_least_variance_notice_a_turn_only_near_45_degrees():
    factors = grid(10, 10, times=40)
    codes = standardised(factors) + 0.1 * noise(len(factors), 2)
    for score in (beta_vae_score, factor_vae_score):
        fall = [score(turned(codes, degrees), factors, **VOTES).score for degrees in (0, 30, 43, 44, 45)]
        assert fall[:2] == pytest.approx([1, 1], abs=0.01)
        assert (np.diff(fall) < 0.02).all()
        assert 0.6 < fall[3] < 0.99
        assert fall[4] == pytest.approx(0.5, abs=0.06)


# Binary codes


def test_the_gini_variance_of_a_category_is_half_the_chance_that_two_images_differ():
    codes = np.array([[0.0, 5.0], [0.0, 5.0], [1.0, -2.0], [2.0, 9.0]])
    variances = group_variance(indicator_columns(codes, joint=True)[:, None], 2)[0]
    assert variances == pytest.approx([np.var([0, 0, 1, 2], ddof=1), (16 - 6) / (2 * 4 * 3)])


def test_a_code_that_splits_a_factor_over_bits_scores_more_as_one_column():
    factors = grid(4, 8, times=40)
    reals, bits = standardised(factors)[:, 1:], np.column_stack([factors[:, 0] // 2, factors[:, 0] % 2])
    joint = code_columns(reals, bits)
    assert mig(np.column_stack([reals, bits]), factors).per_factor[0] == pytest.approx(0, abs=1e-9)
    assert mig(joint, factors, joint=True).per_factor == pytest.approx((1, 1))
    for name, result in every_score(joint, factors, joint=True).items():
        if name != "SAP":
            assert result.score == pytest.approx(1, abs=0.01), name


def test_the_numbers_given_to_categories_do_not_matter():
    factors = grid(4, 4, times=40)
    rng = np.random.default_rng(0)
    category = np.where(rng.random(len(factors)) < 0.3, factors[:, 0], rng.integers(4, size=len(factors)))
    codes = np.column_stack([0.3 * standardised(factors)[:, 1] + noise(len(factors), 1)[:, 0], category])
    renamed = codes.copy()
    renamed[:, 1] = np.array([2, 0, 3, 1])[category]
    before, after = every_score(codes, factors, joint=True), every_score(renamed, factors, joint=True)
    for name, result in before.items():
        # Trees try categories in the order of their numbers, and the classifier of explicitness stops near its minimum.
        tolerance = 0.01 if "DCI" in name else 1e-3 if name == "explicitness" else 1e-9
        assert after[name].score == pytest.approx(result.score, abs=tolerance), name


def test_a_column_that_hardly_varies_casts_no_vote():
    factors = grid(4, 4, times=40)
    codes = standardised(factors) * [1, 0.01]
    assert factor_vae_score(codes, factors, **VOTES).score == pytest.approx(0.5, abs=0.06)


def test_ties_between_bits_are_broken_at_random():
    factors = grid(4, 6, times=40)
    bits = np.column_stack([factors[:, 0] // 2, factors[:, 0] % 2, standardised(factors)[:, 1]])
    votes = np.array(factor_vae_score(bits, factors, **VOTES).matrix)[:, 0]
    assert votes[:2] == pytest.approx(votes[:2].sum() / 2, abs=0.04)


# Against the estimators that define the scores


def test_published_dci_reads_the_importances_of_gradient_boosting_under_another_name():
    codes, factors = entangled()
    codes, factors = codes[::10], factors[::10, :2]
    result = published_dci(codes, factors, n_train=200, n_test=100)[0]
    train = np.random.default_rng(0).permutation(300)[:200]
    trees = GradientBoostingClassifier(random_state=0).fit(codes[train], factors[train, 0])
    assert np.array(result.matrix)[:, 0] == pytest.approx(trees.feature_importances_)
    assert result.name == "DCI disentanglement"
    assert dci_histogram(codes, factors, **SPLIT)[0].name == "DCI-histogram disentanglement"


def test_a_factor_is_complete_by_the_entropy_of_its_importances_to_the_base_of_their_number():
    complete = dci_of_importances("DCI", np.array([[1.0, 0, 0], [0, 0.5, 0], [0, 0.5, 0]]), np.ones((5, 3)), {})[1]
    assert complete.per_factor == pytest.approx([1, 1 - math.log(2) / math.log(3), 0], abs=1e-8)


def test_images_drawn_with_a_fixed_factor_share_it_and_vary_in_the_others():
    factors = grid(3, 4, 5)
    for factor, anchors, images in groups(factors, 300, 1, np.random.default_rng(0)):
        assert (factors[images, factor] == factors[anchors, factor]).all()
        shares = np.bincount(factors[images, factor - 1].flat) / images.size
        assert shares == pytest.approx(1 / len(shares), abs=0.03)


@pytest.mark.parametrize("score", [factor_vae_score, beta_vae_score])
def test_the_standard_error_is_the_spread_over_draws(score):
    factors = grid(3, 4, 5, times=200)
    codes = standardised(factors) @ (np.eye(3, 4) + noise(3, 4) / 2) + 0.7 * noise(len(factors), 4)
    orders = [np.random.default_rng(seed).permutation(len(codes)) for seed in range(20)]  # other images are drawn
    results = [score(codes[order], factors[order], n_train=800, n_test=400) for order in orders]
    spread_of_scores = np.std([result.score for result in results], ddof=1)
    assert 0.4 < np.mean([result.standard_error for result in results]) / spread_of_scores < 1.8


# Degenerate input


def test_a_single_column_is_compared_with_one_that_tells_nothing():
    factors = grid(2, 2, times=300)
    assert mig(factors[:, :1].astype(float), factors).per_factor == pytest.approx((1, 0))
    assert sap_score(factors[:, :1].astype(float), factors, **SPLIT).per_factor == pytest.approx((0.5, 0), abs=0.06)


@pytest.mark.parametrize("name", SCORES)
def test_input_that_cannot_be_scored_is_refused_by_name(name):
    codes, factors = entangled()
    broken = codes.copy()
    broken[3, 1] = math.nan
    single = factors.copy()
    single[:, 2] = 4
    for wrong_codes, wrong_factors, message in [
        (broken, factors, "column 1 is not"), (codes, single, "factor 2 has one"), (codes, factors[1:], "2999, 3"),
        (codes, factors / 2, "integers, got float64"), (codes[:, 0], factors, r"\(N, D\)"),
        (codes, factors[:, :1], "F at least 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            factor_scores(wrong_codes, None, wrong_factors, only=[name])


def test_explicitness_refuses_a_factor_with_one_value_among_the_test_images():
    factors = np.column_stack([np.arange(300) % 2, np.arange(300) == 0]).astype(int)
    with pytest.raises(ValueError, match=r"explicitness needs two values of each factor .*, factor 1 has one"):
        explicitness(factors.astype(float), factors, n_train=200, n_test=100)


def test_training_and_test_images_are_disjoint_also_when_there_are_few():
    codes, factors = entangled()
    settings = sap_score(codes, factors, n_train=10_000, n_test=5_000).settings
    assert (settings["n_train"], settings["n_test"]) == (2000, 1000)


def test_all_scores_of_reals_and_bits_are_given_by_name_with_their_settings():
    factors = grid(4, 4, times=60)
    bits = np.column_stack([factors[:, 0] // 2, factors[:, 0] % 2])
    scores = factor_scores(standardised(factors)[:, 1:], bits, factors, n_train=600, n_test=300)
    assert scores["SAP"].settings == {"n_train": 600, "n_test": 300, "seed": 0}
    assert scores["MIG"].score == pytest.approx(1)
    assert scores["MIG, a column per bit"].score == pytest.approx(0.5)
    assert np.array(scores["MIG"].matrix).shape == (2, 2)
    assert {"beta-VAE score", "FactorVAE score", "FactorVAE score, a column per bit", "SAP", "modularity", "explicitness",
            "DCI-histogram disentanglement", "DCI-histogram completeness", "DCI-histogram informativeness"} < set(scores)


def test_codes_without_bits_are_scored_too_and_only_by_the_scores_that_are_asked_for():
    factors = grid(4, 4, times=60)
    for bits in (None, np.empty((len(factors), 0))):
        assert list(factor_scores(standardised(factors), bits, factors, only=["SAP", "MIG"])) == ["SAP", "MIG"]
    with pytest.raises(ValueError, match=r"scores are beta-VAE score, .*; got 'mig'"):
        factor_scores(factors, None, factors, only=["mig"])
