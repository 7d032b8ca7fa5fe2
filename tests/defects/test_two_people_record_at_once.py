"""Two people who saw the same record over each other in the same moment: one is written, the other is shown it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from certifier.accounts.models import User
from certifier.defects import services
from certifier.defects.entry_input import NewEntry
from certifier.defects.errors import EnteredMeanwhile
from certifier.defects.models import Entry, Source
from certifier.runs.models import Run
from tests.cast import make_run, make_system
from tests.defects.builders import define_all
from tests.defects.test_writing_at_the_same_time import together

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run() -> Run:
    make_system("LAR")
    define_all("LAR_A", "LAR_B")
    return make_run(1, lumisections=500)


def say(
    actor: User | None, lumisections: str, seen: int | None, *, defect: str = "LAR_A", source: str = Source.PAGE
) -> Callable[[], Any]:
    def record() -> list[Entry]:
        entry = NewEntry(run=1, defect=defect, lumisections=lumisections)
        return services.record_entries(actor=actor, entries=[entry], source=source, seen=seen)

    return record


def newest() -> int:
    return max(Entry.objects.values_list("pk", flat=True), default=0)


def test_of_two_in_the_same_moment_one_is_told_of_the_other(run: Run, chi: User, ben: User) -> None:
    for attempt in range(8):
        first, seen = 10 * attempt + 1, newest()
        results = together(say(chi, f"{first}-{first + 5}", seen), say(ben, f"{first + 3}-{first + 8}", seen))
        refused = [each for each in results if isinstance(each, EnteredMeanwhile)]
        written = [each for each in results if isinstance(each, list)]
        assert (len(refused), len(written)) == (1, 1), results
        assert [entry.pk for entry in refused[0].entries] == [written[0][0].pk]
    assert Entry.objects.count() == 8


def test_what_does_not_overlap_is_written_by_both(run: Run, chi: User, ben: User) -> None:
    for attempt in range(4):
        first, seen = 10 * attempt + 1, newest()
        results = together(
            say(chi, f"{first}-{first + 3}", seen),
            say(ben, f"{first + 4}-{first + 8}", seen),
            say(None, f"{first}-{first + 8}", seen, defect="LAR_B"),
        )
        assert all(isinstance(each, list) for each in results), results


def held(job: Callable[[], Any], written: threading.Event, go_on: threading.Event, *, commit: bool = True) -> Any:
    """A writer who has written, and whom nobody sees until they go on."""

    def write() -> list[Entry]:
        with transaction.atomic():
            rows: list[Entry] = job()
            written.set()
            assert go_on.wait(30)
            if not commit:
                transaction.set_rollback(True)
        return rows

    return write


def after(written: threading.Event, go_on: threading.Event, job: Callable[[], Any], ended: threading.Event) -> Any:
    """Somebody who records while the other writer holds back; that one goes on when this has waited for half a second,
    or has ended."""

    def let_go() -> None:
        ended.wait(0.5)
        go_on.set()

    def record() -> Any:
        assert written.wait(30)
        threading.Thread(target=let_go).start()
        try:
            return job()
        finally:
            ended.set()

    return record


@pytest.mark.postgres
@pytest.mark.parametrize("commit", [True, False], ids=["commits", "rolls back"])
def test_who_looks_waits_for_whoever_is_writing_on_that_run(run: Run, chi: User, ben: User, commit: bool) -> None:
    """What is written and not committed is seen by nobody: without the lock both would be written."""
    written, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    script = held(say(chi, "5-9", None), written, go_on, commit=commit)
    first, second = together(script, after(written, go_on, say(ben, "9-12", 0), ended))
    assert isinstance(first, list)
    if commit:
        assert isinstance(second, EnteredMeanwhile)
        assert [entry.pk for entry in second.entries] == [first[0].pk]
        assert list(Entry.objects.values_list("user", flat=True)) == ["chi"]
    else:
        assert isinstance(second, list)
        assert list(Entry.objects.values_list("user", flat=True)) == ["ben"]


@pytest.mark.postgres
def test_an_import_is_not_waited_for_and_none_of_the_two_waits_for_ever(run: Run, chi: User, ben: User) -> None:
    """Each refers to the run at its commit, and the import has the feed's counter then, for which the person waits."""
    written, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    long_import = held(say(chi, "5-9", None, source=Source.IMPORT), written, go_on)
    first, second = together(long_import, after(written, go_on, say(ben, "9-12", 0), ended))
    assert isinstance(first, list), first
    assert isinstance(second, list), second
    assert sorted(Entry.objects.values_list("user", flat=True)) == ["ben", "chi"]


@pytest.mark.postgres
def test_who_takes_an_entry_back_and_who_records_do_not_wait_for_ever(run: Run, chi: User, ben: User) -> None:
    [entry] = say(chi, "1-4", None)()
    written, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    long_import = held(say(chi, "5-9", None, source=Source.IMPORT), written, go_on)
    undoing = after(written, go_on, lambda: services.undo_entry(actor=ben, entry=entry.pk), ended)
    first, second = together(long_import, undoing)
    assert isinstance(first, list), first
    assert isinstance(second, list), second
