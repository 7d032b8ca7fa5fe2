"""Several people at once: nothing is lost, no cycle slips through, and a tag never changes."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from certifier.audit.errors import CertifierError
from certifier.defects import resolution, services
from certifier.defects.entry_input import NewEntry
from certifier.defects.errors import DefectExists, EntriesBusy, TagExists
from certifier.defects.logic_at import logic_at
from certifier.defects.models import Defect, Entry, LogicVersion, Tag
from certifier.defects.selectors import RunDefects, run_defects
from certifier.runs.models import Run
from tests.cast import make_run, make_system
from tests.defects.builders import define, define_all

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run() -> Run:
    make_system("LAR")
    define_all("A", "B")
    return make_run(1, lumisections=500)


def together(*jobs: Callable[[], object]) -> list[object]:
    """Run every job in a thread of its own from the same moment on; what each returned or raised."""
    start = threading.Barrier(len(jobs))
    results: list[object] = [None] * len(jobs)

    def work(place: int, job: Callable[[], object]) -> None:
        try:
            start.wait(30)
            results[place] = job()
        except Exception as error:  # noqa: BLE001 - handed to the test, which looks at it
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(place, job)) for place, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return results


def test_entries_of_many_writers_are_all_kept(run: Run) -> None:
    def writer(number: int) -> Callable[[], list[int]]:
        def write() -> list[int]:
            ids = []
            for lumisection in range(1, 11):
                new = [
                    NewEntry(run=1, defect=name, lumisections=str(lumisection), comment=str(number)) for name in "AB"
                ]
                ids += [row.pk for row in services.record_entries(actor=None, entries=new, source="rest")]
            return ids

        return write

    results = together(*(writer(number) for number in range(8)))
    assert not [error for error in results if isinstance(error, Exception)]
    ids = [pk for written in results for pk in written]  # type: ignore[attr-defined]
    assert len(set(ids)) == 160
    assert set(Entry.objects.values_list("pk", flat=True)) == set(ids)


def test_two_definitions_cannot_make_a_cycle_together(run: Run) -> None:
    for attempt in range(5):
        v, w = define(f"V{attempt}", "A"), define(f"W{attempt}", "A")
        results = together(
            lambda v=v, w=w: services.change_defect(actor=None, defect=v, expression=w.name),  # type: ignore[misc]
            lambda v=v, w=w: services.change_defect(actor=None, defect=w, expression=v.name),  # type: ignore[misc]
        )
        assert sum(isinstance(result, CertifierError) for result in results) == 1, results
        assert len(logic_at().logic.order) == 2 * (attempt + 1)


def test_one_name_is_given_once(run: Run) -> None:
    results = together(*(lambda name=name: define(name) for name in ("NEW", "new", "New", "nEW")))
    assert sum(isinstance(result, DefectExists) for result in results) == 3, results
    assert Defect.objects.filter(name_key="new").count() == 1
    numbers = list(LogicVersion.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))


def test_one_tag_is_made_once(run: Run) -> None:
    results = together(*(lambda: services.create_tag(actor=None, name="T") for _ in range(4)))
    assert sum(isinstance(result, TagExists) for result in results) == 3, results
    assert Tag.objects.count() == 1


def test_a_tag_never_changes_while_people_write(run: Run) -> None:
    stop = threading.Event()

    def write(number: int) -> Callable[[], int]:
        def keep_writing() -> int:
            count = 0
            while not stop.is_set():
                lumisections = str((number * 61 + count) % 500 + 1)
                new = [NewEntry(run=1, defect="A", lumisections=lumisections, comment=f"{number} {count}")]
                services.record_entries(actor=None, entries=new, source="rest")
                count += 1
            return count

        return keep_writing

    def tag() -> list[tuple[str, RunDefects]]:
        seen = []
        try:
            for number in range(6):
                name = services.create_tag(actor=None, name=f"T{number}").name
                seen.append((name, run_defects(run, name)))
        finally:
            stop.set()
        return seen

    *written, seen = together(*(write(number) for number in range(4)), tag)
    assert not [error for error in (*written, seen) if isinstance(error, Exception)], (written, seen)
    assert sum(written) == Entry.objects.count()  # type: ignore[arg-type]
    assert isinstance(seen, list)
    for name, answer in seen:
        assert run_defects(run, name) == answer


@pytest.mark.postgres
def test_a_tag_waits_for_the_writer_who_holds_a_lower_number(run: Run) -> None:
    """The race that a plain “highest entry so far” loses: the slow writer was given its number first."""
    numbered, go_on = threading.Event(), threading.Event()

    def slow_writer() -> int:
        with transaction.atomic():
            [row] = services.record_entries(
                actor=None, entries=[NewEntry(run=1, defect="A", lumisections="1")], source="rest"
            )
            numbered.set()
            assert go_on.wait(30)
        return row.pk

    def tagger() -> int:
        assert numbered.wait(30)
        timer = threading.Timer(0.5, go_on.set)
        timer.start()
        return services.create_tag(actor=None, name="T").entry_id

    written, tagged = together(slow_writer, tagger)
    assert isinstance(written, int)
    assert isinstance(tagged, int)
    assert tagged >= written
    assert str(run_defects(run, "T").defects[0].present) == "1"


@pytest.mark.postgres
def test_a_tag_gives_up_when_somebody_records_for_too_long(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolution, "PATIENCE_MS", 200)
    numbered, go_on = threading.Event(), threading.Event()

    def long_import() -> None:
        with transaction.atomic():
            services.record_entries(
                actor=None, entries=[NewEntry(run=1, defect="A", lumisections="1")], source="import"
            )
            numbered.set()
            assert go_on.wait(30)

    def tagger() -> Tag:
        assert numbered.wait(30)
        try:
            return services.create_tag(actor=None, name="T")
        finally:
            go_on.set()

    _, refused = together(long_import, tagger)
    assert isinstance(refused, EntriesBusy)
    assert refused.status == 503
    assert not Tag.objects.exists()
    services.create_tag(actor=None, name="T")
