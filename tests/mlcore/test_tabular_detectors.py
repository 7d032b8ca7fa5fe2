"""Detectors on tables: what luminosity explains is no defect, faults are found in their object."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from mlcore.conditions import Conditions
from mlcore.detectors.autoencoder import AutoencoderDetector
from mlcore.detectors.base import Detector
from mlcore.detectors.boosting import BoostingDetector
from mlcore.detectors.clustering import ClusteringDetector
from mlcore.detectors.conditioning import CLIP, Conditioner
from mlcore.detectors.errors_by_object import ErrorScale
from mlcore.detectors.forest import ForestDetector
from mlcore.detectors.pca import COMMON, PcaDetector
from mlcore.errors import BadLabels, IncompatibleBinning, MlcoreError, TooFewData
from mlcore.evaluate import auc
from mlcore.features import FeatureTable
from mlcore.simulate.tables import TPC, SimulatedTable, tpc_table

MODELS = [PcaDetector(components=12), ClusteringDetector(), AutoencoderDetector(hidden=(32, 12), epochs=8)]
ALL = [*MODELS, ForestDetector(n_estimators=60), BoostingDetector(max_iter=15, n_estimators=20)]


@pytest.fixture(scope="module")
def drawn() -> SimulatedTable:
    """Faults of a few lumisections, so that there are many that differ. Their strength is such that somebody who knows
    all of them and the state of every run tells a lumisection from good with an AUC of 0.90 to 0.95."""
    law = replace(TPC.law, strength=13.0, short=1.0, to_end=0.0, length=5.0)
    return tpc_table(1, lumisections=4_000, recipe=replace(TPC, law=law))


def following_luminosity(n: int = 400, seed: int = 0) -> FeatureTable:
    """Six features of two objects that are luminosity and little else."""
    rng = np.random.default_rng(seed)
    luminosity = rng.uniform(1.0, 5.0, n)
    conditions = replace(Conditions.plain(n), luminosity=luminosity, pileup=rng.uniform(20.0, 60.0, n))
    values = luminosity[:, None] * np.arange(1.0, 7.0) + luminosity[:, None] ** 2 + rng.normal(0.0, 0.1, (n, 6))
    return FeatureTable(values, tuple("abcdef"), ("muons",) * 3 + ("jets",) * 3, conditions)


def with_values(table: FeatureTable, values: npt.NDArray[np.float64]) -> FeatureTable:
    return replace(table, values=values)


def test_conditioning_takes_off_what_luminosity_explains() -> None:
    table = following_luminosity()
    left = Conditioner().fit(table).transform(table)
    raw = Conditioner(conditioned=False).fit(table).transform(table)
    correlation = [np.corrcoef(x[:, 0], table.conditions.luminosity)[0, 1] for x in (left, raw)]
    assert abs(correlation[0]) < 0.05
    assert correlation[1] > 0.9
    assert left.std(axis=0) == pytest.approx(np.ones(6), abs=0.05)


def test_conditioning_survives_values_that_say_nothing() -> None:
    table = following_luminosity()
    values = table.values.copy()
    values[:, 1] = 7.0
    values[:, 2] = np.nan
    values[::5, 3] = np.inf
    values[3, 0] = 1e300
    left = Conditioner().fit(with_values(table, values)).transform(with_values(table, values))
    assert np.isfinite(left).all()
    assert np.abs(left).max() <= CLIP
    assert not left[:, 1:3].any()
    assert not left[::5, 3].any()


def test_conditioning_without_known_conditions_standardises() -> None:
    table = following_luminosity()
    unknown = replace(table, conditions=Conditions.plain(len(table)))
    left = Conditioner().fit(unknown).transform(unknown)
    assert left.std(axis=0) == pytest.approx(np.ones(6), abs=0.05)
    with pytest.raises(TooFewData, match="too few"):
        Conditioner().fit(unknown.select(slice(0, 5)))


def test_fewer_events_are_allowed_to_be_noisier() -> None:
    rng = np.random.default_rng(3)
    events = np.where(np.arange(2_000) % 2, 1600.0, 400.0)
    conditions = replace(Conditions.plain(2_000), events=events)
    values = rng.standard_normal((2_000, 4)) / np.sqrt(events)[:, None]
    table = FeatureTable(values, tuple("abcd"), ("x",) * 4, conditions)
    left = Conditioner().fit(table).transform(table)
    assert left[::2].std() == pytest.approx(left[1::2].std(), rel=0.1)


def test_errors_no_longer_follow_luminosity() -> None:
    rng = np.random.default_rng(1)
    terms = np.column_stack([np.ones(800), rng.standard_normal(800)])
    errors = np.exp(0.8 * terms[:, 1:] + 0.3 * rng.standard_normal((800, 2)))
    scale = ErrorScale().fit(errors, terms)
    pulls = scale.pulls(errors, terms)
    assert abs(np.corrcoef(pulls[:, 0], terms[:, 1])[0, 1]) < 0.1
    assert np.median(pulls) == pytest.approx(0.0, abs=0.1)
    assert pulls.std() == pytest.approx(1.0, abs=0.15)
    assert scale.scores(errors, terms) == pytest.approx(np.log(np.exp(pulls).sum(axis=1)))


def beyond_chance(independent: int) -> float:
    """AUC that scores without meaning stay below but for one time in 700: three of their standard errors, which are
    those of the rarer kind alone when the other is much more frequent."""
    return 0.5 + 3.0 / np.sqrt(12.0 * independent)


@pytest.mark.parametrize("detector", MODELS, ids=lambda one: type(one).__name__)
def test_faults_of_later_runs_are_found_without_labels_of_bad(detector: Detector, drawn: SimulatedTable) -> None:
    judged = drawn.conditions.run > np.quantile(drawn.conditions.run, 0.5)
    assert 0.90 < auc(drawn.alone[judged], drawn.labels[judged]) < 0.95
    scores = detector.fit(drawn.table.select(~judged), drawn.labels[~judged]).score(drawn.table.select(judged))
    # Lumisections of one episode are alike: not more than one of each counts.
    episodes = np.unique(drawn.faults.episode[judged & (drawn.labels == 1)]).size
    assert auc(scores, drawn.labels[judged]) > beyond_chance(episodes)


def test_a_forest_finds_what_is_odd_in_one_of_few_features() -> None:
    # Random cuts of hundreds of features seldom meet the few that a fault moves: there a forest sees next to nothing.
    # Two standard deviations in one feature: somebody who knows which would reach an AUC of 0.92.
    table = following_luminosity(2_000)
    broken = np.arange(2_000) % 10 == 0
    values = table.values.copy()
    values[broken, np.arange(200) % 6] += 2.0 * 0.1
    table, first = with_values(table, values), np.arange(2_000) < 1_000
    detector = ForestDetector().fit(table.select(first), broken[first].astype(int))
    assert auc(detector.score(table.select(~first)), broken[~first].astype(int)) > beyond_chance(100)


def test_what_the_components_leave_out_is_odd_to_clusters() -> None:
    table = following_luminosity()
    detector = ClusteringDetector(clusters=2, components=1).fit(table)
    broken = table.values[:50].copy()
    broken[:, 1] += 1.0
    broken[:, 4] -= 1.0
    usual = detector.score(table)
    assert np.median(detector.score(with_values(table.select(slice(0, 50)), broken))) > np.quantile(usual, 0.95)


@pytest.mark.parametrize("kind", [PcaDetector, AutoencoderDetector], ids=lambda one: one.__name__)
def test_the_error_is_in_the_object_at_fault(kind: type[PcaDetector | AutoencoderDetector]) -> None:
    table = following_luminosity()
    few = {"components": 2} if kind is PcaDetector else {"hidden": (8, 2), "epochs": 20}
    detector = kind(**few).fit(table)
    broken = table.values[:50].copy()
    broken[:, 4] += 3.0
    errors = detector.group_errors(with_values(table.select(slice(0, 50)), broken))
    usual = detector.group_errors(table.select(slice(0, 50)))
    assert detector.groups_[:2] == ("muons", "jets")
    growth = np.median(errors / usual, axis=0)
    assert growth[1] > 1.5 * growth[0]


def test_components_have_an_error_of_their_own_and_a_plain_form() -> None:
    table = following_luminosity()
    assert PcaDetector().fit(table).groups_[-1] == COMMON
    plain = PcaDetector(components=2, by_object=False).fit(table)
    errors = plain.group_errors(table)
    assert plain.score(table) == pytest.approx(errors[:, :2].mean(axis=1))
    weighted = PcaDetector(components=2).fit(table, weights=np.linspace(0.1, 1.0, len(table)))
    assert np.isfinite(weighted.score(table)).all()


def test_the_published_autoencoder_adds_all_errors_and_learns() -> None:
    table = following_luminosity()
    detector = AutoencoderDetector(hidden=(8, 2), epochs=20, conditioned=False, by_object=False, decay=False).fit(
        table, weights=np.ones(len(table))
    )
    assert detector.loss_[-1] < 0.7 * detector.loss_[0]
    assert detector.score(table) == pytest.approx(detector.group_errors(table).mean(axis=1), rel=1e-5)


def test_training_ends_when_what_is_watched_gets_no_better() -> None:
    table = following_luminosity()
    parts = {"hidden": (8, 2), "conditioned": False, "by_object": False, "decay": False}
    detector = AutoencoderDetector(epochs=200, validation=0.25, converged=0.2, **parts).fit(table)  # type: ignore[arg-type]
    assert 5 < len(detector.loss_) == len(detector.watched_) < 200
    assert detector.watched_[-5:].min() > 0.8 * detector.watched_[:-5].min()
    # Nothing is learned of what is watched, which are the last in time, in whatever order they come.
    spoiled = table.values.copy()
    spoiled[300:] = 0.0
    mixed = np.random.default_rng(0).permutation(400)
    again = AutoencoderDetector(epochs=2, validation=0.25, **parts).fit(with_values(table, spoiled))  # type: ignore[arg-type]
    first = AutoencoderDetector(epochs=2, validation=0.25, **parts).fit(table)  # type: ignore[arg-type]
    assert again.score(table) == pytest.approx(first.score(table))
    assert np.array_equal(first._learned_from(table.select(mixed)), mixed < 300)
    with pytest.raises(MlcoreError, match="share"):
        AutoencoderDetector(validation=1.0).fit(table)


def test_what_lies_between_two_ways_of_running_is_odd() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(-5.0, 0.3, (200, 3)), rng.normal(5.0, 0.3, (200, 3))])
    table = FeatureTable(values, tuple("abc"), ("x",) * 3, Conditions.plain(400))
    detector = ClusteringDetector(clusters=2, components=2).fit(table)
    between = with_values(table.select(slice(0, 1)), np.array([[0.0, 0.1, -0.1]]))
    assert detector.score(between)[0] > detector.score(table).max()
    few = ClusteringDetector().fit(table.select(slice(0, 30)))
    assert few.kmeans_.n_clusters == 1


@pytest.mark.parametrize("conditioned", [True, False])
def test_trees_learn_from_labels_and_take_missing_values(conditioned: bool, drawn: SimulatedTable) -> None:
    half = np.arange(len(drawn.labels)) % 2 == 0
    detector = BoostingDetector(max_iter=20, n_estimators=30, conditioned=conditioned, learning_rate=0.3)
    detector.fit(drawn.table.select(half), drawn.labels[half], weights=drawn.conditions.luminosity[half])
    values = drawn.table.values[~half].copy()
    assert auc(detector.score(drawn.table.select(~half)), drawn.labels[~half]) > 0.65
    values[:, 0], values[0, :] = np.inf, np.nan
    scores = detector.score(with_values(drawn.table.select(~half), values))
    assert np.isnan(scores[0])
    assert np.isfinite(scores[1:]).all()
    alone = BoostingDetector(max_iter=5, n_estimators=0, conditioned=conditioned).fit(drawn.table, drawn.labels)
    assert np.isfinite(alone.score(drawn.table)).all()


def test_one_class_and_three_labels_are_refused(drawn: SimulatedTable) -> None:
    detector = BoostingDetector(max_iter=2)
    with pytest.raises(BadLabels, match="all labels are the same"):
        detector.fit(drawn.table, np.zeros(len(drawn.labels)))
    with pytest.raises(BadLabels, match="0 \\(good\\) or 1 \\(bad\\)"):
        detector.fit(drawn.table, np.arange(len(drawn.labels)) % 3)
    values = drawn.table.values.copy()
    values[drawn.labels == 1] = np.nan
    with pytest.raises(BadLabels, match="can be used"):
        detector.fit(with_values(drawn.table, values), drawn.labels)


@pytest.mark.parametrize("detector", ALL, ids=lambda one: type(one).__name__)
def test_constant_features_and_infinities_give_scores_or_nan(detector: Detector) -> None:
    table = following_luminosity(200)
    labels = (np.arange(200) % 10 == 0).astype(int)
    values = table.values.copy()
    values[:, 0], values[::7, 1], values[::9, 2], values[5] = 1.0, np.inf, np.nan, np.nan
    spoiled = with_values(table, values)
    scores = detector.fit(spoiled, labels).score(spoiled)
    assert np.isnan(scores[5])
    assert np.isfinite(np.delete(scores, 5)).all()
    renamed = replace(table, names=tuple("uvwxyz"))
    with pytest.raises(IncompatibleBinning, match="train it again"):
        detector.score(renamed)
