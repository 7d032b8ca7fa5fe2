"""The table of a run's defects: who said what of which lumisections."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from certifier.defects.resolution import Said, told
from certifier.defects.selectors import DefectInRun
from certifier.lumi import LumiSet
from certifier.web.defect_table import in_system_order, rows_of

NOON = datetime(2018, 5, 15, 12, tzinfo=UTC)


def said(
    lumisections: str,
    *,
    present: bool = True,
    recoverable: bool = False,
    user: str = "ada",
    comment: str = "",
    later: int = 0,
) -> Said:
    at = NOON + timedelta(minutes=later)
    return Said(LumiSet.parse(lumisections).bits, present, recoverable, user, comment, at)


def defect(name: str, *entries: Said, system: str = "LAR", **kind: bool) -> DefectInRun:
    together = LumiSet()
    for entry in entries:
        together |= LumiSet.from_bits(entry.bits)
    known = {"virtual": False, "intolerable": False} | kind
    said = told(entries, together.bits)
    return DefectInRun(name, system, known["virtual"], known["intolerable"], together, LumiSet(), LumiSet(), said)


def test_it_joins_what_was_said_alike() -> None:
    rows = list(
        rows_of([defect("A", said("3", comment="x"), said("7-8", comment="x", later=5), said("9", comment="y"))])
    )
    assert [(str(row.lumisections), row.payload.comment) for row in rows] == [("3 7-8", "x"), ("9", "y")]
    assert rows[0].at == NOON + timedelta(minutes=5)


def test_it_names_a_defect_once_however_many_rows_it_has() -> None:
    rows = list(rows_of([defect("A", said("1"), said("2", user="ben")), defect("B", said("3"))]))
    assert [(row.defect.defect, row.of_defect) for row in rows] == [("A", 2), ("A", 0), ("B", 1)]


def test_it_puts_what_is_absent_last() -> None:
    rows = list(rows_of([defect("A", said("1", present=False), said("5"))]))
    assert [row.payload.present for row in rows] == [True, False]


def test_it_says_what_can_be_done() -> None:
    entries = [said("1"), said("2", recoverable=True), said("3", present=False)]
    assert [row.state for row in rows_of([defect("A", *entries, intolerable=True)])] == [
        "not recoverable", "recoverable", "absent",
    ]  # fmt: skip
    assert [row.state for row in rows_of([defect("A", said("1"))])] == ["–"]


def test_it_orders_by_system_then_name_with_virtual_ones_last() -> None:
    shown = [defect("V", virtual=True), defect("b"), defect("A"), defect("Z", system="PIXEL"), defect("U", system="?")]
    assert [one.defect for one in in_system_order(shown, ["PIXEL", "LAR"])] == ["Z", "A", "b", "U", "V"]
