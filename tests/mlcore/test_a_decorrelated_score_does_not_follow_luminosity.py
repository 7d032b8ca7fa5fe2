"""The detector `decorrelated`: good lumisections score alike at any luminosity, and bad ones are found as before."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from mlcore.bench import decorrelation
from mlcore.conditions import Conditions, FloatArray
from mlcore.decorrelate import AdversarialClassifier
from mlcore.dependence import distance_correlation
from mlcore.detectors.base import Detector
from mlcore.detectors.boosting import BoostingDetector
from mlcore.detectors.decorrelated import Decorrelated
from mlcore.errors import BadLabels, ShapeError, TooFewData
from mlcore.evaluate import auc
from mlcore.features import FeatureTable
from mlcore.histograms import Axis, HistogramBlock
from mlcore.pipeline import DetectorConfig, SystemConfig, train
from mlcore.splits import chronological

BRIEF: dict[str, Any] = {"epochs": 3}


@cache
def world(seed: int = 11) -> decorrelation.World:
    """Half of the features follow luminosity, and bad lumisections are more frequent where there is little."""
    return decorrelation.draw(seed, rows=6_000)


def halves(drawn: decorrelation.World) -> tuple[Any, Any]:
    early, late = chronological(drawn.table.conditions, (0.5, 0.5), gap=0)
    return np.flatnonzero(early), np.flatnonzero(late)


def held_out(detector: Detector, drawn: decorrelation.World) -> tuple[float, float]:
    """AUC, and the distance correlation of good ones with luminosity, of runs that were not learned from."""
    learn, ask = halves(drawn)
    scores = detector.fit(drawn.table.select(learn), drawn.labels[learn]).score(drawn.table.select(ask))
    good, labels = drawn.labels[ask] == 0, drawn.labels[ask]
    return auc(scores, labels), distance_correlation(scores[good], drawn.table.conditions.luminosity[ask][good])


def with_conditions(table: FeatureTable, **known: FloatArray) -> FeatureTable:
    old = table.conditions
    return replace(table, conditions=Conditions(old.run, old.lumisection, **known))


@pytest.mark.parametrize("seed", [11, 12])
def test_it_says_nothing_about_luminosity_and_finds_what_is_bad(seed: int) -> None:
    drawn = world(seed)
    area, tie = held_out(Decorrelated(), drawn)
    plain, plain_tie = held_out(BoostingDetector(), drawn)
    assert plain_tie > 0.12
    assert abs(tie) < 0.07
    assert abs(tie) < 0.5 * plain_tie
    assert area > plain - 0.01


def test_where_luminosity_is_not_known_pile_up_takes_its_place() -> None:
    drawn = world()
    light = drawn.table.conditions.luminosity
    by_pileup = replace(drawn, table=with_conditions(drawn.table, pileup=light / 10.0))
    learn, ask = halves(drawn)
    detector = Decorrelated().fit(by_pileup.table.select(learn), drawn.labels[learn])
    assert detector.against_ == "pileup"
    scores, good = detector.score(by_pileup.table.select(ask)), drawn.labels[ask] == 0
    assert abs(distance_correlation(scores[good], light[ask][good])) < 0.1


def test_where_neither_is_known_it_says_what_it_needs() -> None:
    drawn = world()
    with pytest.raises(TooFewData, match="needs luminosity, or pile-up, and of none of 6000 lumisections"):
        Decorrelated(epochs=1).fit(with_conditions(drawn.table), drawn.labels)


def test_a_lumisection_without_luminosity_counts_as_one_of_usual_luminosity() -> None:
    drawn, (learn, ask) = world(), halves(world())
    light = drawn.table.conditions.luminosity.copy()
    light[::7] = np.nan
    holed = with_conditions(drawn.table, luminosity=light)
    detector = Decorrelated(epochs=3).fit(holed.select(learn), drawn.labels[learn])
    unknown = np.flatnonzero(np.isnan(light[ask]))
    filled = with_conditions(drawn.table, luminosity=np.where(np.isnan(light), detector.typical_, light))
    without, usual = (detector.score(table.select(ask)) for table in (holed, filled))
    assert np.isfinite(without).all()
    assert np.corrcoef(without[unknown], usual[unknown])[0, 1] > 0.95


def test_features_that_are_not_known_or_never_vary_are_survived() -> None:
    drawn, (learn, ask) = world(), halves(world())
    values = drawn.table.values.copy()
    values[np.random.default_rng(5).random(values.shape) < 0.1] = np.nan
    values[:, 3], values[:, 4] = 7.0, np.nan
    holed = replace(drawn.table, values=values)
    for detector in (Decorrelated(epochs=4), Decorrelated(epochs=6, conditioned=False)):
        scores = detector.fit(holed.select(learn), drawn.labels[learn]).score(holed.select(ask))
        assert np.isfinite(scores).all()
        assert auc(scores, drawn.labels[ask]) > 0.85


def test_labels_that_are_hardly_believed_hardly_teach() -> None:
    drawn, (learn, ask) = world(), halves(world())
    labels, weights = drawn.labels[learn].copy(), np.ones(len(learn))
    wrong = np.random.default_rng(6).random(len(learn)) < 0.5
    labels[wrong], weights[wrong] = 1 - labels[wrong], 1e-3
    table = drawn.table.select(learn)
    doubted = Decorrelated(epochs=4).fit(table, labels, weights=weights).score(drawn.table.select(ask))
    believed = Decorrelated(epochs=4).fit(table, labels).score(drawn.table.select(ask))
    assert auc(doubted, drawn.labels[ask]) > 0.85
    assert auc(believed, drawn.labels[ask]) < 0.75


def test_weights_that_are_all_the_same_change_nothing_and_bad_ones_are_refused() -> None:
    rng = np.random.default_rng(7)
    x, light = rng.normal(size=(200, 3)), rng.uniform(size=200)
    y = (x[:, 0] > 0.5).astype(int)
    one, two = (AdversarialClassifier(**BRIEF).fit(x, y, light, weights) for weights in (None, np.full(200, 4.0)))
    assert np.array_equal(one.decision_function(x), two.decision_function(x))
    with pytest.raises(ShapeError, match="200 finite numbers"):
        AdversarialClassifier(**BRIEF).fit(x, y, light, np.full(200, -1.0))


def test_one_run_alone_is_cut_in_two_and_half_without_bad_teaches_nothing() -> None:
    drawn = world()
    alone = drawn.table.select(slice(0, 400))
    conditions = replace(alone.conditions, run=np.full(400, 5), lumisection=np.arange(1, 401))
    alone, labels = replace(alone, conditions=conditions), drawn.labels[:400].copy()
    assert np.isfinite(Decorrelated(**BRIEF).fit(alone, labels).score(alone)).all()
    assert len(Decorrelated(**BRIEF).fit(alone, labels).parts_) == 2
    labels[200:] = 0
    (part,) = Decorrelated(**BRIEF).fit(alone, labels).parts_
    assert isinstance(part[0], AdversarialClassifier)
    with pytest.raises(TooFewData, match="neither half of the runs has 50 lumisections"):
        Decorrelated(**BRIEF).fit(alone.select(np.r_[0:60, 200:260]), np.r_[np.ones(60, int), np.zeros(60, int)])
    with pytest.raises(TooFewData, match="at least 100 are needed"):
        Decorrelated().fit(alone.select(slice(0, 99)), labels[:99])
    hidden = alone.values.copy()
    hidden[labels == 1] = np.nan
    with pytest.raises(BadLabels, match="among those that can be used"):
        Decorrelated().fit(replace(alone, values=hidden), labels)


def test_a_system_model_can_have_it_as_its_classifier() -> None:
    """Bad lumisections are more frequent where there is little luminosity, and what is usual is wider there."""
    drawn = jets(seed=2)
    ties = {}
    for name, parameters in (("decorrelated", {}), ("boosting", {"n_estimators": 0, "max_iter": 30})):
        config = SystemConfig(
            detectors=(DetectorConfig("pulls", axes=1),), classifier=name, classifier_parameters=parameters, refresh=0,
            folds=2, shares=(0.3, 0.3, 0.1, 0.3), pollution=0.1, loss=0.1,
        )  # fmt: skip
        model = train([drawn[0]], drawn[1], config)
        late = drawn[0].conditions.run > 42
        found = model.score([drawn[0].select(late)])
        good, light = drawn[1][late] == 0, drawn[0].conditions.luminosity[late]
        assert auc(found.score, drawn[1][late]) > 0.9, name
        ties[name] = abs(distance_correlation(found.score[good], light[good]))
    assert ties["decorrelated"] < 0.12
    assert ties["boosting"] > 0.3


def jets(seed: int, *, runs: int = 60, length: int = 30) -> tuple[HistogramBlock, Any]:
    """A spectrum whose width per lumisection grows as luminosity falls; of what is bad a bin is too full."""
    rng, n = np.random.default_rng([seed, 9]), runs * length
    light = np.outer(rng.uniform(0.8, 1.2, runs), np.linspace(1.0, 0.3, length)).ravel()
    axis = Axis.regular("energy", 24, 0.0, 240.0, unit="GeV")
    scale = 60.0 * (1.0 + 0.02 * (1.3 - light) ** 2 * rng.standard_normal(n))
    shape = np.exp(-axis.centres / scale[:, None])
    expected = 3_000.0 * light[:, None] * shape / shape.sum(axis=1, keepdims=True)
    labels = (rng.random(n) < 0.3 * (1.1 - light).clip(0.05)).astype(np.int64)
    expected[labels == 1, 12] *= 2.0
    conditions = Conditions(
        np.repeat(np.arange(1, runs + 1), length), np.tile(np.arange(1, length + 1), runs),
        luminosity=400.0 * light, pileup=40.0 * light, events=np.round(500.0 * light),
    )  # fmt: skip
    return HistogramBlock("Jets/energy", (axis,), rng.poisson(expected).astype(np.float64), conditions), labels
