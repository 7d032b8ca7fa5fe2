"""The change feed as sentences."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from certifier.runs.models import Change
from certifier.web.activity import lines_of


def change(kind: str, *, run: int | None = None, by: str = "chi", sequence: int = 1, **data: Any) -> Change:
    return Change(sequence=sequence, kind=kind, run=run, by=by, data=data, at=datetime(2018, 5, 15, tzinfo=UTC))


def words(*changes: Change) -> list[str]:
    return [f"{deed.by} {deed.words}" for deed in lines_of(changes)]


def test_it_tells_an_import_of_many_runs_in_one_line() -> None:
    changes = [change("runs.run", run=number, outcome="created") for number in (3, 1, 2)]
    assert words(*changes) == ["chi created 3 runs, 1-3"]


@pytest.mark.parametrize(
    ("kind", "run", "data", "told"),
    [
        ("runs.run", 7, {"outcome": "updated", "changed": ["ended_at"]}, "chi changed run 7: ended_at"),
        ("runs.lumisections", 7, {"lumisections": "1-719"}, "chi sent lumisections 1-719 of run 7"),
        ("runs.lumisections", 7, {"lumisections": ""}, "chi sent lumisections of run 7"),
        ("defects.entries", 7, {"count": 1, "defects": ["A"]}, "chi recorded 1 entry on run 7: A"),
        ("defects.definitions", None, {"summary": "EMBA defined"}, "chi changed the logic: EMBA defined"),
        ("monitoring.histograms", 7, {"histograms": 1200}, "chi sent 1,200 histograms of run 7"),
        ("monitoring.element", None, {"element": "A/one"}, "chi changed monitoring elements: A/one"),
        ("precert.scoring", 7, {"system": "LAR"}, "chi scored LAR of run 7"),
        ("precert.model", None, {"system": "LAR", "model": 3, "id": 5}, "chi registered LAR model 3"),
        ("precert.promotion", None, {"system": "LAR", "model": 3, "state": "champion"}, "chi promoted LAR model 3"),
        ("precert.promotion", None, {"system": "LAR", "model": 3, "state": "shadow"},
         "chi put LAR model 3 into shadow"),
        ("precert.mode", None, {"system": "LAR", "mode": "auto"}, "chi switched LAR to mode auto"),
        ("training.done", None, {"system": "LAR", "training": 3}, "chi trained LAR"),
        ("training.pause", None, {"system": "LAR", "paused": True}, "chi paused the training of LAR"),
        ("trends.alarm", 7, {"trend": "efficiency"}, "chi saw efficiency leave its band at run 7"),
        ("trends.given_up", None, {"trend": "efficiency"}, "chi watches efficiency no longer"),
        ("defects.tag", None, {"name": "pro22-01"}, "chi made the tag pro22-01"),
        ("review.sign_off", 7, {"system": "LAR", "stage": "bulk", "action": "sign"}, "chi signed LAR bulk of run 7"),
        ("goodruns.list", None, {"id": 1, "name": "A", "runs": 12, "lumisections": 3400},
         "chi published the list A: 12 runs, 3,400 lumisections"),
        ("review.decision", 7, {"system": "LAR", "bad": "1-4", "good": ""}, "chi reviewed LAR of run 7: 1 bad"),
        ("review.decision", 7, {"system": "LAR", "bad": "", "good": "1-4"}, "chi reviewed LAR of run 7: 1 fine"),
        ("review.undo", 7, {"system": "LAR"}, "chi took back a decision on LAR of run 7"),
        ("later.thing", 7, {}, "chi later.thing of run 7"),
    ],
)  # fmt: skip
def test_it_has_words_for_every_kind(kind: str, run: int | None, data: dict[str, Any], told: str) -> None:
    assert words(change(kind, run=run, **data)) == [told]


def test_it_joins_the_signatures_of_one_run() -> None:
    changes = [
        change("review.sign_off", run=7, by=by, system=system, stage=stage, action="sign")
        for by, system, stage in [("ada", "LAR", "express"), ("eli", "PIXEL", "express"), ("ada", "LAR", "bulk")]
    ]
    other = change("review.sign_off", run=8, by="eli", system="SCT", stage="express", action="sign")
    assert words(*changes, other) == [
        "ada, eli signed LAR, PIXEL express, signed LAR bulk of run 7",
        "eli signed SCT express of run 8",
    ]


def test_it_names_few_and_counts_the_rest() -> None:
    (line,) = words(change("runs.run", run=7, outcome="updated", changed=list("ABCDEF")))
    assert line == "chi changed run 7: A, B, C and 3 more"
    (line,) = words(change("runs.run", run=7, outcome="updated", changed=list("ABCD")))
    assert line == "chi changed run 7: A, B, C, D"
    (line,) = words(change("defects.entries", run=7, count=9, defects=list("ABCDEF")))
    assert line == "chi recorded 9 entries on run 7"


def test_it_leads_to_what_was_made() -> None:
    tag, published, run = lines_of(
        [
            change("defects.tag", name="pro22-01"),
            change("goodruns.list", id=4, name="A", runs=1, lumisections=1),
            change("runs.dataset", run=7),
        ]
    )
    assert (tag.url_name, tag.url_argument) == ("defects:tag", "pro22-01")
    assert (published.url_name, published.url_argument) == ("goodruns:list", 4)
    assert run.run == 7


def test_it_tells_a_decision_and_not_the_entries_that_it_made() -> None:
    decided: dict[str, Any] = {"system": "LAR", "bad": "1-4", "good": ""}
    assert words(
        change("review.decision", run=7, **decided),
        change("defects.entries", run=7, count=1, defects=["LAR_X"]),
        change("review.decision", run=7, **decided | {"bad": ""}),
        change("review.items", run=7, system="LAR", opened=3),
        change("defects.entries", run=8, count=1, defects=["LAR_X"]),
    ) == ["chi reviewed LAR of run 7: 1 bad, 1 fine", "chi recorded 1 entry on run 8: LAR_X"]
