from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.runs.models import Run
from tests.cast import make_run
from tests.defects.builders import Api, define, define_all, of_run, present, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(lar: System) -> Run:
    define_all("A", "B")
    define("V", "A")
    define("W", "B or V")
    define("X", "not V")
    run = make_run(1, lumisections=10)
    record(run, "A", "1-3")
    record(run, "B", "3-5")
    return run


def test_an_ignored_primary_counts_as_never_set_and_is_not_answered(run: Run) -> None:
    assert of_run(run, "A", ignore=["a"]) is None
    assert of_run(run, "A", ignore=["a"], absent=True) is None
    assert of_run(run, "V", ignore=["A"]) is None
    assert present(run, "W", ignore=["A"]) == "3-5"
    assert present(run, "X", ignore=["A"]) == "1-10"


def test_an_ignored_virtual_counts_as_absent_and_is_not_answered(run: Run) -> None:
    assert of_run(run, "V", ignore=["V"]) is None
    assert present(run, "A", ignore=["V"]) == "1-3"
    assert present(run, "W", ignore=["V"]) == "3-5"
    assert present(run, "X", ignore=["V"]) == "1-10"


def test_rest_takes_several_and_refuses_unknown_names(api: Api, chi: User, run: Run) -> None:
    answer = api(chi).get("/api/v1/runs/1/defects/?ignore=A&ignore=b").json()
    assert [one["defect"] for one in answer["defects"]] == ["X"]
    refused = api(chi).get("/api/v1/runs/1/defects/?ignore=NOPE")
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "ignore"


def test_rest_answers_in_the_shape_of_the_contract(api: Api, chi: User, run: Run) -> None:
    entry = record(run, "A", "9", comment="late", recoverable=True, actor=chi)
    answer = api(chi).get("/api/v1/runs/1/defects/?defect=a&defect=V&system=lar")
    assert answer.status_code == 200
    body = answer.json()
    assert {key: body[key] for key in ("run", "lumisections", "tag")} == {
        "run": 1,
        "lumisections": "1-10",
        "tag": "HEAD",
    }
    primary, virtual = body["defects"]
    assert primary == {
        "defect": "A",
        "system": "LAR",
        "virtual": False,
        "intolerable": False,
        "present": "1-3 9",
        "absent": "",
        "intervals": [
            {
                "lumisections": "1-3",
                "present": True,
                "recoverable": False,
                "user": "system",
                "comment": "",
                "entered_at": primary["intervals"][0]["entered_at"],
            },
            {
                "lumisections": "9",
                "present": True,
                "recoverable": True,
                "user": "chi",
                "comment": "late",
                "entered_at": entry.entered_at.isoformat().replace("+00:00", "Z"),
            },
        ],
    }
    assert virtual["present"] == "1-3 9"
    assert virtual["absent"] == "4-8 10"
    assert [(one["user"], one["comment"], one["entered_at"]) for one in virtual["intervals"]] == [
        ("virtual", "A", None)
    ] * 2
    assert api(chi).get("/api/v1/runs/1/defects/?absent=perhaps").status_code == 400
    assert api(chi).get("/api/v1/runs/1/defects/?system=NOPE").status_code == 400
    assert api(chi).get("/api/v1/runs/1/defects/?defect=NOPE").status_code == 400
    assert api(chi).get("/api/v1/runs/1/defects/?tag=NOPE").status_code == 404
    assert api(chi).get("/api/v1/runs/99999999999999999999/defects/").status_code == 404
