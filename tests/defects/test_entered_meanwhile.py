"""Whoever records has seen the entries up to some number: what came later on the same lumisections stops them."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.defects import services
from certifier.defects.entry_input import NewEntry
from certifier.defects.errors import EnteredMeanwhile
from certifier.defects.models import Entry, Source
from certifier.runs.models import Run
from tests.cast import make_run
from tests.defects.builders import define_all, present, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(lar: System) -> Run:
    define_all("LAR_A", "LAR_B")
    run: Run = make_run(350479, lumisections=100)
    return run


def say(actor: User, lumisections: str, seen: int | None, defect: str = "LAR_A") -> list[Entry]:
    entry = NewEntry(run=350479, defect=defect, lumisections=lumisections)
    return services.record_entries(actor=actor, entries=[entry], source=Source.PAGE, seen=seen)


def test_what_overlaps_is_refused_and_named(run: Run, ada: User, ben: User) -> None:
    first = record(run, "LAR_A", "1-3")
    newer = record(run, "LAR_A", "8-12", actor=ben, present=False)
    with pytest.raises(EnteredMeanwhile, match="Meanwhile ben recorded") as refused:
        say(ada, "5-9", first.pk)
    assert refused.value.entries == [newer]
    assert Entry.objects.count() == 2
    assert say(ada, "5-9", newer.pk)
    assert present(run, "LAR_A") == "1-3 5-9"


@pytest.mark.parametrize(("defect", "lumisections"), [("LAR_B", "5-9"), ("LAR_A", "20-30")])
def test_other_defects_and_lumisections_stop_nobody(run: Run, ada: User, defect: str, lumisections: str) -> None:
    record(run, defect, lumisections)
    assert say(ada, "5-9", 0)


def test_a_script_that_has_seen_nothing_is_not_asked(run: Run, ada: User) -> None:
    record(run, "LAR_A", "5-9")
    assert say(ada, "5-9", None)
