"""Times are compared at equal AUC: with the cheapest peer that finds as much, of whatever kind."""

from __future__ import annotations

import pytest

from mlcore.bench.throughput import _ratio

#: (CPU seconds, AUC) of two seeds
PEERS = {
    "PyOD IForest": [(1.0, 0.70), (1.0, 0.70)],
    "PyOD PCA": [(0.5, 0.60), (0.5, 0.60)],
    "PyOD AutoEncoder": [(8.0, 0.90), (8.0, 0.90)],
}


def times(ours: list[tuple[float, float]]) -> dict[tuple[str, str], list[tuple[float, float]]]:
    return {("table", "forest"): ours, **{("table", name): one for name, one in PEERS.items()}}


def test_a_quicker_peer_that_finds_less_does_not_count() -> None:
    row = _ratio(("table", "forest"), times([(2.0, 0.80), (4.0, 0.80)]), [0, 1])
    assert [row.value, row.spread] == pytest.approx([3.0 / 8.0, 1.0 / 8.0])
    assert row.reached
    assert "cheapest peer that finds as much is PyOD AutoEncoder" in row.note
    # What it takes over each of the others is shown all the same.
    assert {name: peer.value for name, peer in row.peers.items()} == {
        "over PyOD IForest, AUC 0.700": pytest.approx(3.0),
        "over PyOD PCA, AUC 0.600": pytest.approx(6.0),
        "over PyOD AutoEncoder, AUC 0.900": pytest.approx(3.0 / 8.0),
    }


def test_a_slower_detector_that_finds_no_more_has_not_reached_its_target() -> None:
    # A hair more is no more; and the cheapest counts, though it is of another kind than a forest.
    row = _ratio(("table", "forest"), times([(2.0, 0.604), (2.0, 0.604)]), [0, 1])
    assert row.value == pytest.approx(4.0)
    assert not row.reached
    assert "finds as much is PyOD PCA" in row.note


def test_where_no_peer_finds_as_much_the_row_says_so_with_the_time_over_its_like() -> None:
    row = _ratio(("table", "forest"), times([(2.0, 0.95), (2.0, 0.95)]), [0, 1])
    assert row.value == 0.0
    assert "No peer finds as much, hence 0; over PyOD IForest, which finds less, it is 2.00" in row.note
