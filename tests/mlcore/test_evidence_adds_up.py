"""What explains a score: bins with their edges, shares of objects, features, gradients, and past cases."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from mlcore.conditions import Conditions
from mlcore.errors import MlcoreError, ShapeError, TooFewData
from mlcore.explain import CaseLibrary, by_object, integrated_gradients, kept_cases, odd_bins, tree_contributions
from mlcore.histograms import Axis, HistogramBlock


class Given:
    """Pulls that the test chose."""

    def __init__(self, pulls: np.ndarray) -> None:
        self.given = pulls

    def pulls(self, block: HistogramBlock) -> np.ndarray:
        return self.given


def test_odd_bins_are_the_largest_pulls_with_their_place_on_the_axes() -> None:
    axes = (Axis.regular("eta", 4, -2.0, 2.0), Axis.regular("phi", 3, 0.0, 6.0))
    counts = np.arange(24.0).reshape(2, 4, 3)
    block = HistogramBlock("Calo/map", axes, counts, Conditions.plain(2))
    pulls = np.zeros((2, 4, 3))
    pulls[0, 1, 2], pulls[0, 3, 0], pulls[0, 0, 0] = -7.5, 4.0, 2.9
    pulls[1] = np.nan
    first, second = odd_bins(Given(pulls), block)
    assert [(bin_.place, bin_.pull) for bin_ in first] == [((1, 2), -7.5), ((3, 0), 4.0)]
    assert first[0].ranges == (("eta", -1.0, 0.0), ("phi", 4.0, 6.0))
    assert str(first[0]) == "Calo/map at eta -1 to 0, phi 4 to 6: 5 entries, pull -7.5"
    assert second == []
    assert len(odd_bins(Given(pulls), block, most=1)[0]) == 1
    assert odd_bins(Given(pulls[:0]), block.select(slice(0, 0))) == []


def test_contributions_are_summed_by_object() -> None:
    total, names = by_object(np.array([[1.0, 2.0, np.nan], [0.5, 0.0, 4.0]]), ["muons", "jets", "muons"])
    assert names == ("muons", "jets")
    assert total.tolist() == [[1.0, 2.0], [4.5, 0.0]]
    with pytest.raises(ShapeError):
        by_object(np.zeros((2, 3)), ["muons"])


def test_contributions_of_trees_add_up_to_what_the_model_says() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5))
    y = (x[:, 1] + 0.3 * x[:, 3] > 0).astype(int)
    boosting = HistGradientBoostingClassifier(max_iter=20).fit(x, y)
    values = tree_contributions(boosting, x)
    assert values.shape == x.shape
    margin = boosting.decision_function(x)
    assert np.ptp(margin - values.sum(axis=1)) < 1e-6
    assert np.abs(values).mean(axis=0).argmax() == 1
    forest = ExtraTreesClassifier(10, random_state=0).fit(x, y)
    values = tree_contributions(forest, x)
    assert np.ptp(forest.predict_proba(x)[:, 1] - values.sum(axis=1)) < 1e-6
    with pytest.raises(MlcoreError, match="no ensemble of trees"):
        tree_contributions(LogisticRegression().fit(x, y), x)


def test_gradients_along_the_path_add_up_to_the_difference() -> None:
    import torch

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    found = integrated_gradients(net, x, steps=64)
    with torch.no_grad():
        rise = (net(torch.as_tensor(x)) - net(torch.zeros(1, 4))).numpy()[:, 0]
    assert found.shape == x.shape
    assert np.allclose(found.sum(axis=1), rise, atol=1e-3)
    assert np.allclose(integrated_gradients(net, x, x[:1])[0], 0.0)


def test_a_net_that_is_explained_keeps_the_modes_it_came_in() -> None:
    import torch

    torch.manual_seed(0)
    frozen = torch.nn.Dropout(0.5).eval()
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), frozen, torch.nn.Linear(8, 1))
    x = np.ones((2, 4), dtype=np.float32)
    found = integrated_gradients(net, x)
    assert np.allclose(found[0], found[1]), "dropout must not be at work while it is explained"
    assert [part.training for part in net] == [True, True, False, True]
    assert net.training
    with pytest.raises(RuntimeError):
        integrated_gradients(net, np.ones((2, 3)))
    assert net.training, "nor after an answer that failed"
    net.eval()
    integrated_gradients(net, x)
    assert not net.training


def _library(rng: np.random.Generator) -> tuple[CaseLibrary, np.ndarray]:
    patterns = 8.0 * np.eye(3, 30)
    kind = np.repeat([-1, 0, 1, 2], [300, 20, 20, 20])
    evidence = rng.normal(size=(360, 30)) * np.linspace(0.2, 3.0, 30)
    evidence[kind >= 0] += patterns[kind[kind >= 0]]
    conditions = Conditions(run=1 + np.arange(360) // 10, lumisection=1 + np.arange(360) % 10)
    families = np.array(["", "A", "B", "C"])[kind + 1]
    return CaseLibrary().fit(evidence, conditions, kind >= 0, families), patterns


def test_the_nearest_past_cases_are_of_the_same_kind_and_named() -> None:
    rng = np.random.default_rng(0)
    library, patterns = _library(rng)
    fresh = rng.normal(size=(3, 30)) * np.linspace(0.2, 3.0, 30) + patterns
    found = library.nearest(fresh, most=5)
    for family, cases in zip("ABC", found, strict=True):
        assert [case.family for case in cases] == [family] * 5
        assert [case.distance for case in cases] == sorted(case.distance for case in cases)
    assert str(found[0][0]).startswith(f"run {found[0][0].run} lumisection")
    assert "(A)" in str(found[0][0])


def test_cases_of_the_same_run_can_be_left_out_and_unknown_evidence_says_nothing() -> None:
    rng = np.random.default_rng(0)
    library, patterns = _library(rng)
    fresh = patterns[:1].copy()
    run = library.nearest(fresh, most=1)[0][0].run
    assert run not in {case.run for case in library.nearest(fresh, not_runs=np.array([run]))[0]}
    fresh[:, 5:] = np.nan
    assert library.nearest(fresh)[0][0].family == "A"


def test_a_library_keeps_the_latest_bad_and_good_ones_of_all_times() -> None:
    bad = np.arange(1000) % 4 == 0
    usable = np.arange(1000) >= 100
    kept = kept_cases(bad, usable, 100)
    assert kept.size == 100
    assert kept.min() >= 100
    assert bad[kept].sum() == 75
    assert kept[bad[kept]].min() > 650
    assert np.ptp(kept[~bad[kept]]) > 800
    assert kept_cases(bad, usable, 5000).size == 900
    with pytest.raises(TooFewData):
        CaseLibrary().fit(np.zeros((1, 2)), Conditions.plain(1), np.zeros(1, dtype=bool))
