"""The demo's histograms are small, the same every time, and wrong where people recorded that something was wrong."""

from __future__ import annotations

import numpy as np
import pytest

from certifier.demo import histograms, showcase, world
from certifier.lumi import LumiSet
from certifier.monitoring import files
from certifier.monitoring.comparison import expected_of
from mlcore.histograms import HistogramBlock

RUNS = {run.number: run for run in world.runs()}


@pytest.fixture(scope="module")
def showcase_blocks() -> dict[str, HistogramBlock]:
    return {block.element: block for block in histograms.blocks(RUNS[world.SHOWCASE])}


def largest_pulls(block: HistogramBlock) -> dict[int, float]:
    """By lumisection, against the rest of the run."""
    expected = expected_of(block)
    assert expected is not None
    pulls = np.abs(expected.pulls(block.flat)).max(axis=1)
    return dict(zip(block.conditions.lumisection.tolist(), pulls.tolist(), strict=True))


@pytest.mark.parametrize("element", ["LAr/EMBA/cellEnergy", "LAr/EMBA/cellTime", "LAr/EMBA/occupancy"])
def test_the_corrupted_lumisections_stand_out(showcase_blocks: dict[str, HistogramBlock], element: str) -> None:
    pulls = largest_pulls(showcase_blocks[element])
    recorded = set(LumiSet.parse("118-132").numbers())
    worst = sorted(pulls, key=lambda lumisection: -pulls[lumisection])[: len(recorded)]
    assert set(worst) == recorded


def test_the_noise_bursts_of_the_endcap_are_there(showcase_blocks: dict[str, HistogramBlock]) -> None:
    pulls = largest_pulls(showcase_blocks["LAr/EMECA/cellTime"])
    noisy = [pulls[lumisection] for lumisection in LumiSet.parse(showcase.NOISE_A).numbers() if lumisection in pulls]
    assert np.median(noisy) > 1.15 * np.median(list(pulls.values()))


@pytest.mark.parametrize("element", ["Pixel/BarrelLayer1/charge", "InnerDetector/vertexZ", "LAr/EMBA/pulseQuality"])
def test_the_others_are_fine(showcase_blocks: dict[str, HistogramBlock], element: str) -> None:
    assert max(largest_pulls(showcase_blocks[element]).values()) < 8


def test_nothing_is_filled_without_collisions(showcase_blocks: dict[str, HistogramBlock]) -> None:
    run = RUNS[world.SHOWCASE]
    for block in showcase_blocks.values():
        assert (run.recorded[block.conditions.lumisection - 1] > 0).all()
        assert (block.totals > 0).mean() > 0.99


def test_they_are_the_same_every_time_and_small() -> None:
    sizes = []
    for number in histograms.RUNS:
        first, again = (files.encode(number, list(histograms.blocks(RUNS[number]))) for _ in range(2))
        assert first == again
        sizes.append(len(first))
    assert sum(sizes) < 2_000_000


def test_every_element_has_a_system(showcase_blocks: dict[str, HistogramBlock]) -> None:
    assert set(showcase_blocks) == set(histograms.SYSTEM_OF)
