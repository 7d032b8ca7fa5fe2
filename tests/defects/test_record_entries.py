from __future__ import annotations

from datetime import UTC, datetime

import pytest

from certifier.accounts.models import System, User
from certifier.audit.models import AuditEvent
from certifier.defects import services
from certifier.defects.entry_input import ENTRIES_PER_REQUEST, NewEntry
from certifier.defects.errors import TooManyEntries
from certifier.defects.models import Entry
from certifier.lumi import LumiSet
from certifier.runs.models import Change
from tests.cast import make_run
from tests.defects.builders import Api, define, define_all

pytestmark = pytest.mark.django_db

URL = "/api/v1/defect-entries/"


@pytest.fixture(autouse=True)
def world(lar: System) -> None:
    define_all("LAR_A", "LAR_B")
    define("V", "LAR_A")
    make_run(350479, lumisections=719)
    make_run(350480, lumisections=0)


def entry(**changed: object) -> dict[str, object]:
    return {"run": 350479, "defect": "LAR_A", "lumisections": "1-4 9", **changed}


def test_it_records_and_says_what(api: Api, ada: User) -> None:
    sent = [
        entry(comment="first"),
        entry(defect="lar_b", lumisections="20-End", recoverable=True),
        entry(present=False),
    ]
    answer = api(ada).post(URL, {"entries": sent}, format="json")
    assert answer.status_code == 201
    said = answer.json()
    ids = [one["id"] for one in said["entries"]]
    assert ids == sorted(ids)
    assert said["head"] == ids[-1]
    first, second, third = said["entries"]
    assert (
        first.items()
        >= {
            "run": 350479,
            "defect": "LAR_A",
            "lumisections": "1-4 9",
            "present": True,
            "recoverable": False,
            "comment": "first",
            "user": "ada",
            "source": "rest",
        }.items()
    )
    assert second.items() >= {"defect": "LAR_B", "lumisections": "20-719", "recoverable": True}.items()
    assert third["present"] is False


def test_all_is_the_whole_run(api: Api, ada: User) -> None:
    answer = api(ada).post(URL, {"entries": [entry(lumisections="all")]}, format="json")
    assert answer.json()["entries"][0]["lumisections"] == "1-719"


def test_it_audits_once_and_tells_the_feed_per_run(ada: User) -> None:
    make_run(350500, lumisections=10)
    entries = [NewEntry(run=run, defect="LAR_A", lumisections="1") for run in (350500, 350479, 350500)]
    services.record_entries(actor=ada, entries=entries, source="page")
    event = AuditEvent.objects.get(code="defects.record_entries")
    assert (event.actor_name, event.subject, event.data["count"]) == ("ada", "2 runs", 3)
    changes = Change.objects.filter(kind="defects.entries").order_by("run")
    assert [(change.run, change.data["count"], change.by) for change in changes] == [
        (350479, 1, "ada"),
        (350500, 2, "ada"),
    ]


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"lumisections": "9-4"}, "lumisections", "9-4"),
        ({"lumisections": "0"}, "lumisections", "0"),
        ({"lumisections": "0-5"}, "lumisections", "0"),
        ({"lumisections": "-3"}, "lumisections", "-3"),
        ({"lumisections": "700-720"}, "lumisections", "719"),
        ({"lumisections": "1000000000"}, "lumisections", "1000000000"),
        ({"lumisections": ""}, "lumisections", "at least one"),
        ({"lumisections": "  "}, "lumisections", "at least one"),
        ({"lumisections": "abc"}, "lumisections", "abc"),
        ({"lumisections": "١-٤"}, "lumisections", "١-٤"),
        ({"lumisections": "1,,"}, None, None),
        ({"lumisections": 5}, "lumisections", "text"),
        ({"lumisections": [[1, 4]]}, "lumisections", "text"),
        ({"lumisections": None}, "lumisections", "text"),
        ({"run": 999999}, "run", "999999"),
        ({"run": 0}, "run", "0"),
        ({"run": -1}, "run", "-1"),
        ({"run": 9_000_000_000_000_000_000}, "run", "not known"),
        ({"run": True}, "run", "run number"),
        ({"run": "350479"}, "run", "run number"),
        ({"run": 350480}, "lumisections", "no lumisections yet"),
        ({"defect": "LAR_X"}, "defect", "Did you mean LAR_"),
        ({"defect": "LÄR_A"}, "defect", "LÄR_A"),
        ({"defect": "V"}, "defect", "virtual"),
        ({"present": "yes"}, "present", "true or false"),
        ({"present": 1}, "present", "true or false"),
        ({"recoverable": None}, "recoverable", "true or false"),
        ({"comment": 7}, "comment", "text"),
        ({"comment": "x" * 5000}, "comment", "5000"),
        ({"user": "ben"}, "user", "no such field"),
    ],
)
def test_it_refuses_bad_input_and_names_the_place(
    api: Api, chi: User, changed: dict[str, object], field: str | None, words: str | None
) -> None:
    answer = api(chi).post(URL, {"entries": [entry(), entry(**changed)]}, format="json")
    if field is None:
        assert answer.status_code == 201
        return
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert (error["index"], error["field"]) == (1, field)
    assert words is not None
    assert words.lower() in error["message"].lower()
    assert not Entry.objects.exists()


def test_it_names_every_bad_entry(api: Api, chi: User) -> None:
    sent = [entry(), entry(run=1), entry(lumisections="9-4"), entry(defect="NOPE")]
    answer = api(chi).post(URL, {"entries": sent}, format="json")
    assert [(error["index"], error["field"]) for error in answer.json()["errors"]] == [
        (1, "run"),
        (2, "lumisections"),
        (3, "defect"),
    ]
    assert not Entry.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"entries": []},
        {"entries": {}},
        {"entries": [5]},
        {"entries": None},
        {"entries": [], "x": 1},
        {"entries": [{}]},
    ],
)
def test_it_refuses_a_body_without_entries(api: Api, chi: User, body: dict[str, object]) -> None:
    answer = api(chi).post(URL, body, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_too_many_at_once_is_413(api: Api, chi: User) -> None:
    many = [NewEntry(run=350479, defect="LAR_A", lumisections="1")] * (ENTRIES_PER_REQUEST + 1)
    with pytest.raises(TooManyEntries) as caught:
        services.record_entries(actor=chi, entries=many, source="rest")
    assert caught.value.status == 413
    assert not Entry.objects.exists()


def test_an_import_keeps_who_and_when(lar: System) -> None:
    when = datetime(2018, 5, 15, 9, 40, tzinfo=UTC)
    new = NewEntry(run=350479, defect="LAR_A", lumisections=LumiSet.parse("1-4"), user="sys:hancool", entered_at=when)
    [row] = services.record_entries(actor=None, entries=[new], source="import")
    stored = Entry.objects.get(pk=row.pk)
    assert (stored.user, stored.entered_at, stored.actor, stored.source) == ("sys:hancool", when, None, "import")


def test_a_thousand_are_recorded_with_few_statements(django_assert_max_num_queries: object, chi: User) -> None:
    new = [NewEntry(run=350479, defect="LAR_A", lumisections=f"{number % 700 + 1}") for number in range(1000)]
    with django_assert_max_num_queries(40):  # type: ignore[operator]
        rows = services.record_entries(actor=chi, entries=new, source="rest")
    assert [row.pk for row in rows] == sorted(row.pk for row in rows)
    assert Entry.objects.count() == 1000


def test_the_history_has_every_entry_in_order(api: Api, ada: User, chi: User) -> None:
    for number, client in enumerate((api(ada), api(chi), api(ada))):
        client.post(URL, {"entries": [entry(comment=f"said {number}")]}, format="json")
    answer = api(chi).get("/api/v1/runs/350479/defects/history/").json()
    assert [(one["user"], one["comment"]) for one in answer["results"]] == [
        ("ada", "said 0"),
        ("chi", "said 1"),
        ("ada", "said 2"),
    ]
    assert (answer["next"], answer["previous"]) == (None, None)
    assert api(chi).get("/api/v1/runs/1/defects/history/").status_code == 404
