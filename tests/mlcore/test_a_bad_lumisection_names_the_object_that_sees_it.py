"""The channel-decomposed network: learned from one label for all, it says which physics object sees a fault."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mlcore.artifacts import load, save
from mlcore.bench import channel_net as table
from mlcore.conditions import Conditions
from mlcore.detectors.channel_net import ChannelNet, beside
from mlcore.errors import BadLabels, IncompatibleBinning, MlcoreError
from mlcore.evaluate import auc
from mlcore.features import FeatureTable
from mlcore.pipeline import SystemConfig, train
from mlcore.pipeline.config import DetectorConfig
from mlcore.pipeline.model import named_in_table
from mlcore.simulate.channels import SYSTEMS, channel_table, named_by

RUNS, LENGTH = 60, 30


def drawn(seed: int = 0) -> tuple[FeatureTable, npt.NDArray[np.int64], npt.NDArray[np.str_]]:
    """In every second run an episode in which four features of one of three objects are off; `seen` names it."""
    rng = np.random.default_rng(seed)
    n = RUNS * LENGTH
    conditions = Conditions(
        run=np.repeat(np.arange(1, RUNS + 1), LENGTH), lumisection=np.tile(np.arange(1, LENGTH + 1), RUNS),
        luminosity=rng.uniform(200.0, 500.0, n), pileup=rng.uniform(20.0, 50.0, n),
    )  # fmt: skip
    groups = tuple(np.repeat(["muons", "photons", "jets"], 10).tolist())
    values = rng.normal(size=(n, 30)) + 0.01 * conditions.luminosity[:, None]
    labels, seen = np.zeros(n, dtype=np.int64), np.full(n, "", dtype="U7")
    for number, run in enumerate(rng.permutation(RUNS)[: RUNS // 2]):
        name = ("muons", "photons", "jets")[number % 3]
        rows = run * LENGTH + np.arange(5, 20)
        columns = np.flatnonzero(np.array(groups) == name)[:4]
        values[np.ix_(rows, columns)] += 2.5
        labels[rows], seen[rows] = 1, name
    return FeatureTable(values, tuple(f"f{place}" for place in range(30)), groups, conditions), labels, seen


@pytest.fixture(scope="module")
def sample() -> tuple[FeatureTable, npt.NDArray[np.int64], npt.NDArray[np.str_]]:
    return drawn()


@pytest.fixture(scope="module")
def fitted(sample: tuple[FeatureTable, npt.NDArray[np.int64], npt.NDArray[np.str_]]) -> ChannelNet:
    early = sample[0].conditions.run <= 40
    return ChannelNet(hidden=(16,)).fit(sample[0].select(early), sample[1][early])


def test_the_object_that_sees_the_fault_is_named(
    sample: tuple[FeatureTable, npt.NDArray[np.int64], npt.NDArray[np.str_]], fitted: ChannelNet
) -> None:
    data, labels, seen = sample
    late = data.conditions.run > 40
    assert auc(fitted.score(data.select(late)), labels[late]) > 0.98
    bad = late & (labels == 1)
    named = np.array(fitted.seen_by(data.select(late)))[bad[late]]
    assert np.mean(named == seen[bad]) > 0.97
    scores = fitted.object_scores(data.select(late))
    for place, name in enumerate(fitted.groups_):
        assert auc(scores[:, place], (seen[late] == name).astype(np.int64)) > 0.97


def test_one_object_that_sees_a_fault_is_enough(
    sample: tuple[FeatureTable, npt.NDArray[np.int64], npt.NDArray[np.str_]], fitted: ChannelNet
) -> None:
    few = sample[0].select(slice(0, 50))
    by_object = fitted.object_scores(few)
    good = np.prod(1.0 / (1.0 + np.exp(by_object)), axis=1)
    assert 1.0 / (1.0 + np.exp(fitted.score(few))) == pytest.approx(good, rel=1e-6)
    assert (fitted.score(few) >= by_object.max(axis=1) - 1e-9).all()


def test_an_unknown_lumisection_names_nothing(
    sample: tuple[FeatureTable, npt.NDArray[np.int64], npt.NDArray[np.str_]], fitted: ChannelNet
) -> None:
    few = sample[0].select(slice(0, 4))
    values = few.values.copy()
    values[2] = np.nan
    holed = replace(few, values=values)
    assert fitted.seen_by(holed)[2] == ""
    assert np.isnan(fitted.object_scores(holed)[2]).all()
    with pytest.raises(IncompatibleBinning):
        fitted.object_scores(replace(few, names=("renamed", *few.names[1:])))


def test_neighbours_count_in_the_same_run_only() -> None:
    conditions = Conditions(run=np.array([1, 1, 1, 2, 2]), lumisection=np.array([1, 2, 4, 5, 6]))
    values = np.array([[0.0], [4.0], [10.0], [100.0], [200.0]])
    mixed = beside(values, conditions, 0.5)
    assert mixed.ravel().tolist() == [2.0, 2.0, 10.0, 150.0, 150.0]
    turned = np.array([4, 2, 0, 3, 1])
    assert beside(values[turned], conditions.select(turned), 0.5).ravel().tolist() == mixed.ravel()[turned].tolist()


def test_settings_that_make_no_sense_are_refused(
    sample: tuple[FeatureTable, npt.NDArray[np.int64], npt.NDArray[np.str_]],
) -> None:
    data, labels, _ = sample
    with pytest.raises(MlcoreError, match="shares"):
        ChannelNet(own=1.5).fit(data, labels)
    values = np.where((labels == 1)[:, None], np.nan, data.values)
    with pytest.raises(BadLabels, match="both good and bad"):
        ChannelNet().fit(replace(data, values=values), labels)


def test_what_is_stored_names_the_same(
    sample: tuple[FeatureTable, npt.NDArray[np.int64], npt.NDArray[np.str_]], fitted: ChannelNet, tmp_path: Path
) -> None:
    manifest = save(fitted, tmp_path / "net")
    again = load(tmp_path / "net", digest=manifest.digest)
    few = sample[0].select(slice(0, 40))
    assert np.array_equal(again.object_scores(few), fitted.object_scores(few))
    assert not list((tmp_path / "net").glob("*.skops"))


def test_a_system_model_shows_the_object_as_evidence(
    sample: tuple[FeatureTable, npt.NDArray[np.int64], npt.NDArray[np.str_]],
) -> None:
    data, labels, seen = sample
    net = DetectorConfig("channel_net", {"hidden": [16]}, elements=("features",))
    config = SystemConfig(detectors=(net,), shares=(0.4, 0.3, 0.1, 0.2), refresh=1, folds=2,
                          classifier_parameters={"n_estimators": 20})  # fmt: skip
    early, late = data.conditions.run <= 50, data.conditions.run > 50
    answer = train([data.select(early)], labels[early], config).score([data.select(late)])
    rows = np.flatnonzero(seen[late] != "")[7::15].tolist()
    assert rows
    for row, evidence in zip(rows, answer.evidences(rows), strict=True):
        assert max(evidence.objects, key=lambda name: evidence.objects[name]) == seen[late][row]
        assert sum(evidence.objects.values()) == pytest.approx(1.0)


def test_the_share_of_the_table_is_divided_among_its_objects() -> None:
    shares = named_in_table({"muons": 0.4, "features": 0.6}, {"muons": 0.3, "jets": 0.1, "photons": np.nan})
    assert shares == pytest.approx({"muons": 0.85, "jets": 0.15})
    assert named_in_table({"muons": 1.0}, {"jets": 0.5}) == {"muons": 1.0}
    assert named_in_table({"features": 1.0}, {}) == {"features": 1.0}


def test_a_system_is_named_by_exactly_its_channels() -> None:
    objects = ("muons", "photons", "particle flow", "calorimeter jets")
    for place, seen in enumerate(SYSTEMS.values()):
        badness = np.where(np.isin(objects, seen), 0.9, 0.1)[None, :]
        assert named_by(badness, objects)[0].argmax() == place


def test_the_world_of_channels_is_a_quarter_bad_in_every_system() -> None:
    world = channel_table(1, lumisections=4_000)
    assert world.labels.mean() == pytest.approx(0.25, abs=0.02)
    assert np.array_equal(world.labels == 1, world.system >= 0)
    assert set(np.unique(world.system)) == set(range(-1, len(SYSTEMS)))
    assert auc(world.belief, world.labels) > auc(world.alone, world.labels) > 0.98
    again = channel_table(1, lumisections=4_000)
    assert np.array_equal(world.table.values, again.table.values, equal_nan=True)


def test_a_small_table_has_both_rows_beside_the_published_network() -> None:
    rows = table.run([0], quick=True)
    assert [row.task for row in rows] == ["global AUC", "mean AUC per planted system"]
    for row in rows:
        assert {table.ALONE, table.PUBLISHED} == set(row.peers)
        assert row.value > 0.7
    assert rows[0].bayes is not None
    assert rows[0].bayes > rows[0].value
    assert "tracker" in rows[1].note
