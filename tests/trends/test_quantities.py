"""Every quantity that a formula may name, against what was written."""

from __future__ import annotations

import numpy as np
import pytest

from certifier.accounts.models import System
from certifier.runs.models import Dataset, Run
from certifier.trends.errors import TrendRefused
from certifier.trends.models import Per
from certifier.trends.quantities import FAMILIES, PLAIN, gather, slug
from tests.precert import world as precert
from tests.trends.conftest import BEGAN, COUNT, FIRST

pytestmark = pytest.mark.django_db


def rows(count: int = COUNT) -> list[Run]:
    return list(Run.objects.order_by("number")[:count])


def test_every_plain_quantity_per_run(season: System) -> None:
    found = gather(Per.RUN, rows(), PLAIN[Per.RUN]).columns
    assert {name: column[4] for name, column in found.items()} == {
        "run": FIRST + 4,
        "fill": 7000,
        "start": BEGAN.timestamp() + 4 * 8 * 3600,
        "lumisections": 10,
        "duration": 600,
        "delivered": pytest.approx(1040),
        "recorded": pytest.approx(1040 * 0.906),
        "good": 0,  # nobody signed it
        "pileup": pytest.approx(31),
        "defects": 1,
        "signed": 0,
        "open": 6,
    }
    assert all(len(column) == COUNT for column in found.values())


def test_every_plain_quantity_per_lumisection(season: System) -> None:
    table = gather(Per.LUMISECTION, rows(5), PLAIN[Per.LUMISECTION])
    row = 4 * 10 + 9  # the last lumisection of the fifth run
    assert (table.run[row], table.lumisection[row]) == (FIRST + 4, 10)
    found = {name: column[row] for name, column in table.columns.items()}
    assert np.isnan(found.pop("pileup"))
    assert found == {
        "run": FIRST + 4,
        "fill": 7000,
        "ls": 10,
        "start": BEGAN.timestamp() + 4 * 8 * 3600 + 9 * 60,
        "duration": 60,
        "delivered": 104,
        "recorded": pytest.approx(104 * 0.906),
    }


@pytest.mark.parametrize("name", ["defect.LAR_NOISEBURST", "defect.lar_any"])
def test_defects_primary_and_virtual(season: System, name: str) -> None:
    per_run = gather(Per.RUN, rows(), [name]).columns[name]
    assert per_run.tolist() == [0, 0, 0, 0, 3, *[0] * (COUNT - 5)]
    per_lumisection = gather(Per.LUMISECTION, rows(5), [name]).columns[name]
    assert np.flatnonzero(per_lumisection).tolist() == [41, 42, 43]


def test_flags_and_attributes(season: System) -> None:
    names = ["flag.stable_beams", "flag.nobody_knows", "attribute.b_field", "attribute.hlt_key"]
    found = gather(Per.RUN, rows(2), names).columns
    assert found["flag.stable_beams"].tolist() == [8, 8]
    assert found["attribute.b_field"].tolist() == [3.8, 3.8]
    assert np.isnan(found["flag.nobody_knows"]).all()
    assert np.isnan(found["attribute.hlt_key"]).all()
    flags = gather(Per.LUMISECTION, rows(1), names).columns["flag.stable_beams"]
    assert flags.tolist() == [0, 0, *[1] * 8]


def test_scores_and_verdicts_of_the_champion(lar: System) -> None:
    precert.take(system=lar, noise="11-14")
    precert.score(precert.champion(lar), Dataset.objects.get())
    row = Run.objects.get()
    names = ["score.LAR", "bad.lar", "unsure.LAR"]
    per_run = gather(Per.RUN, [row], names).columns
    scores = gather(Per.LUMISECTION, [row], names).columns
    assert scores["score.LAR"][10:14].min() > scores["score.LAR"][20:].max()
    assert per_run["score.LAR"][0] == pytest.approx(np.nanmean(scores["score.LAR"]))
    assert per_run["bad.lar"][0] == scores["bad.lar"].sum()


def test_moments_of_monitoring_elements(lar: System) -> None:
    precert.take(system=lar)
    run, blocks = Run.objects.get(), precert.histograms()
    path = slug(blocks[0].element)
    names = [f"entries.{path}", f"mean.{path}", f"spread.{path}"]
    found = gather(Per.LUMISECTION, [run], names).columns
    counts, centres = blocks[0].flat, blocks[0].axes[0].centres
    assert found[names[0]].tolist() == counts.sum(axis=1).tolist()
    assert found[names[1]] == pytest.approx(counts @ centres / counts.sum(axis=1))
    assert gather(Per.RUN, [run], names).columns[names[1]][0] == pytest.approx(np.nanmean(found[names[1]]))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("separation", "no quantity “separation” per run"),
        ("ls", "no quantity “ls” per run"),
        ("defect.LAR_NOTHING", "no defect “LAR_NOTHING”"),
        ("score.MARS", "no system “MARS”"),
        ("mean.Nowhere", "no such monitoring element"),
        ("weather.rain", "no quantity “weather.rain”"),
    ],
)
def test_what_is_no_quantity_is_named(season: System, name: str, words: str) -> None:
    with pytest.raises(TrendRefused, match=words):
        gather(Per.RUN, rows(2), [name])


def test_every_family_has_a_reader() -> None:
    from certifier.trends.quantities import _World

    assert all(callable(getattr(_World, f"_{family}", None)) for family in FAMILIES)


def test_no_run_at_all(systems: object) -> None:
    for per in Per:
        assert all(len(column) == 0 for column in gather(per, [], PLAIN[per]).columns.values())
