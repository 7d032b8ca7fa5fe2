"""Taking an entry back: nothing is taken away, new entries say again what held before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.defects import services
from certifier.defects.entry_input import MAX_COMMENT
from certifier.defects.errors import NothingToUndo, UnknownEntry
from certifier.defects.models import Entry
from certifier.defects.undoing import restoring, visible_of
from certifier.lumi import LumiSet
from certifier.runs.models import Run
from tests.cast import make_run
from tests.defects.builders import define_all, of_run, present, record, slices


@pytest.fixture
def run(lar: System) -> Run:
    define_all("LAR_A", "LAR_B")
    run: Run = make_run(350479, lumisections=100)
    return run


@pytest.mark.django_db
def test_what_nobody_had_said_is_absent_again(run: Run, ada: User) -> None:
    entry = record(run, "LAR_A", "5-9")
    [undone] = services.undo_entry(actor=ada, entry=entry.pk)
    assert present(run, "LAR_A") == ""
    assert (undone.user, undone.present, str(undone.lumisections)) == ("ada", False, "5-9")
    assert undone.comment == f"entry {entry.pk} undone; nothing was said here before"
    assert Entry.objects.count() == 2


@pytest.mark.django_db
def test_what_held_before_is_said_again_with_whose_word_it_was(run: Run, ada: User, ben: User) -> None:
    record(run, "LAR_A", "1-6", actor=ben, comment="Seen at the desk", recoverable=True)
    entry = record(run, "LAR_A", "5-9", actor=ada, comment="mistaken")
    services.undo_entry(actor=ada, entry=entry.pk)
    found = of_run(run, "LAR_A")
    assert found is not None
    assert (str(found.present), str(found.recoverable)) == ("1-6", "1-6")
    assert slices(run, "LAR_A") == [
        ("1-4", "Seen at the desk"),
        ("5-6", f"Seen at the desk [ben said, entry {entry.pk} undone]"),
    ]


@pytest.mark.django_db
def test_what_was_said_later_stays(run: Run, ada: User, ben: User) -> None:
    entry = record(run, "LAR_A", "1-10")
    record(run, "LAR_A", "4-6", actor=ben, comment="Still so")
    services.undo_entry(actor=ada, entry=entry.pk)
    assert slices(run, "LAR_A") == [("4-6", "Still so")]
    with pytest.raises(NothingToUndo, match="holds nowhere any more"):
        services.undo_entry(actor=ada, entry=entry.pk)


@pytest.mark.django_db
def test_an_undoing_can_be_undone(run: Run, ada: User) -> None:
    entry = record(run, "LAR_A", "5-9", comment="so it is")
    [undone] = services.undo_entry(actor=ada, entry=entry.pk)
    services.undo_entry(actor=ada, entry=undone.pk)
    assert present(run, "LAR_A") == "5-9"


@pytest.mark.django_db
def test_it_is_for_those_who_may_record_it(run: Run, ada: User, dee: User, pixel: System) -> None:
    define_all("PIXEL_A", system="PIXEL")
    entry = record(run, "PIXEL_A", "5-9")
    for refused in (ada, dee):
        with pytest.raises(NotAllowed, match="expert of PIXEL"):
            services.undo_entry(actor=refused, entry=entry.pk)
    assert Entry.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("number", [0, -1, 99, 2**64])
def test_an_entry_that_does_not_exist_is_refused(run: Run, ada: User, number: int) -> None:
    with pytest.raises(UnknownEntry):
        services.undo_entry(actor=ada, entry=number)


@pytest.mark.django_db
def test_it_is_written_down_and_the_longest_comment_fits(run: Run, ada: User) -> None:
    record(run, "LAR_A", "5-9", comment="x" * MAX_COMMENT)
    entry = record(run, "LAR_A", "5-9", comment="y")
    [undone] = services.undo_entry(actor=ada, entry=entry.pk)
    assert len(undone.comment) == MAX_COMMENT
    assert undone.comment.endswith(f"… [system said, entry {entry.pk} undone]")
    assert AuditEvent.objects.filter(code="defects.undo_entry", subject=f"entry {entry.pk}").count() == 1


SAID = st.lists(st.tuples(st.sets(st.integers(1, 8), min_size=1), st.booleans(), st.booleans()), min_size=1, max_size=6)


@given(SAID, st.data())
def test_undoing_is_as_if_the_entry_had_not_been_said_where_it_is_the_last_word(
    said: list[tuple[set[int], bool, bool]], data: st.DataObject
) -> None:
    """Against brute force, lumisection by lumisection; None is nothing said, which amounts to absent."""
    place = data.draw(st.integers(0, len(said) - 1))
    entries = [_entry(number, *one) for number, one in enumerate(said)]
    entry, earlier, later = entries[place], entries[:place], entries[place + 1 :]
    where = visible_of(entry, later)
    wanted = restoring(entry, earlier, where)
    for lumisection in range(1, 9):
        last = _last_word([*said, *((set(_numbers(one.lumisections)), one.present, one.recoverable) for one in wanted)],
                          lumisection)  # fmt: skip
        if _is_last(said, place, lumisection):
            before = _last_word(said[:place], lumisection) or (False, False)
            assert last == before
        else:
            assert last == _last_word(said, lumisection)


def _entry(number: int, lumisections: set[int], present: bool, recoverable: bool) -> Entry:
    from datetime import UTC, datetime

    from certifier.defects.models import Defect

    return Entry(
        pk=number + 1,
        run=Run(number=1, last_lumisection=8),
        defect=Defect(name="A"),
        lumisections=LumiSet.from_ranges((n, n) for n in lumisections),
        present=present,
        recoverable=present and recoverable,
        comment=f"{number}",
        user="ada",
        entered_at=datetime(2018, 5, 14, tzinfo=UTC),
    )


def _numbers(lumisections: object) -> list[int]:
    assert isinstance(lumisections, LumiSet)
    return [n for first, last in lumisections.ranges() for n in range(first, last + 1)]


def _last_word(said: list[tuple[set[int], bool, bool]], lumisection: int) -> tuple[bool, bool] | None:
    words = [(present, present and recoverable) for where, present, recoverable in said if lumisection in where]
    return words[-1] if words else None


def _is_last(said: list[tuple[set[int], bool, bool]], place: int, lumisection: int) -> bool:
    return lumisection in said[place][0] and all(lumisection not in where for where, _, _ in said[place + 1 :])
