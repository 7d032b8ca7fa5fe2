from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.defects import services
from certifier.defects.tag_diff import RunDifference, tag_diff
from certifier.defects.tag_pages import by_system
from certifier.lumi import LumiSet
from certifier.runs.models import Run
from tests.cast import make_run
from tests.defects.builders import Api, define, define_all, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def runs(lar: System, pixel: System) -> list[Run]:
    define_all("A", "B")
    define("P", system="PIXEL")
    define("V", "A and not B")
    runs = [make_run(number, lumisections=20) for number in (100, 200, 300)]
    for run in runs:
        record(run, "A", "1-10")
    services.create_tag(actor=None, name="one")
    return runs


def rows(a: str = "one", b: str = "HEAD", **options: object) -> list[tuple[int, str, str, str]]:
    diff = tag_diff(a, b, **options)  # type: ignore[arg-type]
    return [(row.run, row.defect, str(row.only_in_a), str(row.only_in_b)) for row in diff.differences]


def test_it_says_what_is_present_on_one_side_only(runs: list[Run]) -> None:
    record(runs[1], "A", "8-12")
    record(runs[0], "A", "1-2", present=False)
    record(runs[0], "B", "5")
    assert rows() == [
        (100, "A", "1-2", ""),
        (100, "B", "", "5"),
        (100, "V", "1-2 5", ""),
        (200, "A", "", "11-12"),
        (200, "V", "", "11-12"),
    ]
    assert rows("HEAD", "one")[0] == (100, "A", "", "1-2")
    assert rows(virtual=False) == [row for row in rows() if row[1] != "V"]


def test_equal_tags_do_not_differ(runs: list[Run]) -> None:
    services.create_tag(actor=None, name="two")
    record(runs[0], "A", "1-20")
    diff = tag_diff("one", "two")
    assert (list(diff.differences), diff.definitions, diff.runs_only_in_a, diff.runs_only_in_b) == ([], [], "", "")


def test_what_was_said_and_taken_back_between_is_no_difference(runs: list[Run]) -> None:
    record(runs[0], "A", "15")
    record(runs[0], "A", "15", present=False)
    assert rows() == []


def test_it_sees_a_change_of_recoverable(runs: list[Run]) -> None:
    record(runs[0], "A", "3-4", recoverable=True)
    [row] = tag_diff("one", "HEAD").differences
    assert (str(row.recoverable_differs), str(row.only_in_a), str(row.only_in_b)) == ("3-4", "", "")


def test_a_changed_expression_is_compared_in_every_run(runs: list[Run]) -> None:
    services.change_defect(actor=None, defect="V", expression="B")
    define("W", "not A")
    diff = tag_diff("one", "HEAD")
    assert [(one.name, one.changed) for one in diff.definitions] == [("V", ["expression"]), ("W", [])]
    assert diff.definitions[1].a is None
    assert [(row.run, row.defect, str(row.only_in_a)) for row in diff.differences] == [
        (100, "V", "1-10"),
        (200, "V", "1-10"),
        (300, "V", "1-10"),
    ]


def test_a_virtual_defect_follows_the_ones_it_depends_on(runs: list[Run]) -> None:
    define("U", "V")
    services.create_tag(actor=None, name="two")
    services.change_defect(actor=None, defect="V", expression="not A")
    assert rows("two", runs=None)[:2] == [(100, "U", "1-10", "11-20"), (100, "V", "1-10", "11-20")]


def test_a_rename_is_a_difference_of_definitions_only(runs: list[Run]) -> None:
    services.change_defect(actor=None, defect="A", name="A2")
    diff = tag_diff("one", "HEAD")
    assert list(diff.differences) == []
    assert [(one.name, one.changed) for one in diff.definitions] == [("A2", ["name"]), ("V", ["expression"])]


def test_runs_of_one_side_only_are_named(runs: list[Run]) -> None:
    services.create_tag(actor=None, name="some", runs="100-200")
    record(runs[2], "A", "15")
    record(runs[0], "A", "15")
    diff = tag_diff("some", "HEAD")
    assert (diff.runs_only_in_a, diff.runs_only_in_b) == ("", "300")
    assert [row.run for row in diff.differences] == [100, 100]


def test_it_can_be_narrowed(runs: list[Run]) -> None:
    record(runs[0], "A", "15")
    record(runs[0], "P", "1")
    record(runs[1], "P", "1")
    assert rows(systems={"pixel"}) == [(100, "P", "", "1"), (200, "P", "", "1")]
    assert rows(ignore=["a"]) == [(100, "P", "", "1"), (200, "P", "", "1")]


def test_rest_answers_it(api: Api, chi: User, runs: list[Run]) -> None:
    record(runs[0], "A", "15")
    services.change_defect(actor=None, defect="B", description="new")
    answer = api(chi).get("/api/v1/tags/one/diff/HEAD/?runs=1-150&system=LAR")
    assert answer.status_code == 200
    body = answer.json()
    assert body["a"]["tag"] == "one"
    assert body["b"] == {"tag": "HEAD", "entry": None, "logic": None, "runs": ""}
    assert body["differences"][0] == {
        "run": 100,
        "defect": "A",
        "system": "LAR",
        "virtual": False,
        "only_in_a": "",
        "only_in_b": "15",
        "recoverable_differs": "",
    }
    [definition] = body["definitions"]
    assert (definition["defect"], definition["changed"], definition["b"]["description"]) == (
        "B",
        ["description"],
        "new",
    )
    assert api(chi).get("/api/v1/tags/one/diff/NOPE/").status_code == 404
    assert api(chi).get("/api/v1/tags/one/diff/HEAD/?runs=9-1").status_code == 400
    assert api(chi).get("/api/v1/tags/one/diff/HEAD/?ignore=NOPE").status_code == 400
    assert api(chi).get("/api/v1/tags/one/diff/HEAD/?virtual=x").status_code == 400


def test_differences_are_summed_by_system_a_lumisection_once() -> None:
    def row(run: int, defect: str, system: str, a: str, b: str, *, virtual: bool = False) -> RunDifference:
        return RunDifference(run, defect, system, virtual, LumiSet.parse(a), LumiSet.parse(b), LumiSet())

    rows = [
        row(1, "LAR_A", "LAR", "1-4", ""),
        row(1, "LAR_B", "LAR", "3-6", "9"),
        row(2, "LAR_A", "LAR", "", "1"),
        row(2, "EMBA", "LAR", "1-50", "", virtual=True),
        row(2, "PIXEL_A", "PIXEL", "", "1-20"),
    ]
    found = [(one.system, one.runs, len(one.defects), one.only_in_a, one.only_in_b) for one in by_system(rows)]
    assert found == [("PIXEL", 1, 1, 0, 20), ("LAR", 2, 2, 6, 2)]
