from __future__ import annotations

import pytest
from django.db.models import Max

from certifier.accounts.models import System, User
from certifier.audit.models import AuditEvent
from certifier.defects import services
from certifier.defects.errors import TagExists, UnknownFilter, UnknownTag
from certifier.defects.models import Entry, Tag
from certifier.defects.selectors import history, run_defects
from certifier.runs.models import Change, Run
from tests.cast import make_run
from tests.defects.builders import Api, define, define_all, of_run, present, record, slices

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(lar: System) -> Run:
    define_all("A", "B", "C")
    define("V", "A B")
    run = make_run(1, lumisections=30)
    record(run, "A", "1-10")
    record(run, "B", "11-20", recoverable=True)
    return run


def test_later_entries_do_not_reach_it(run: Run) -> None:
    services.create_tag(actor=None, name="pro22-01")
    before = run_defects(run, "pro22-01", absent=True)
    record(run, "A", "1-30")
    record(run, "B", "11-20", present=False)
    record(run, "C", "1-30")
    assert run_defects(run, "pro22-01", absent=True) == before
    assert present(run, "V") == "1-30"


def test_later_definitions_do_not_reach_it(run: Run) -> None:
    services.create_tag(actor=None, name="T")
    before = run_defects(run, "T")
    services.change_defect(actor=None, defect="V", expression="not A", intolerable=True, description="other")
    define("W", "A")
    assert run_defects(run, "T") == before
    with pytest.raises(UnknownFilter, match="at tag T"):
        run_defects(run, "T", defects=["W"])


def test_a_rename_never_rewrites_it(run: Run) -> None:
    services.create_tag(actor=None, name="T")
    before = run_defects(run, "T")
    services.change_defect(actor=None, defect="A", name="A_NEW")
    services.change_defect(actor=None, defect="V", name="V_NEW")
    assert run_defects(run, "T") == before
    assert slices(run, "V", "T") == [("1-10", "A"), ("11-20", "B")]
    assert slices(run, "V_NEW") == [("1-10", "A_NEW"), ("11-20", "B")]
    assert [line.defect for line in history(run, "T")] == ["A", "B"]
    assert [line.defect for line in history(run)] == ["A_NEW", "B"]


def test_it_couples_entries_and_logic(run: Run) -> None:  # Q11, Q12
    a = services.create_tag(actor=None, name="a")
    services.change_defect(actor=None, defect="V", expression="A C")
    b = services.create_tag(actor=None, name="b")
    assert (a.entry_id, a.logic_id) != (b.entry_id, b.logic_id)
    assert present(run, "V", "a") == "1-20"
    assert present(run, "V", "b") == present(run, "V") == "1-10"


def test_it_can_be_made_from_another_tag(run: Run) -> None:
    services.create_tag(actor=None, name="a")
    record(run, "A", "1-30")
    services.change_defect(actor=None, defect="V", expression="C")
    clone = services.create_tag(actor=None, name="clone", from_tag="A", description="the same again")
    assert run_defects(run, "clone").defects == run_defects(run, "a").defects
    assert clone.from_tag is not None
    assert clone.from_tag.name == "a"


def test_it_can_be_made_before_anything_is_defined(db: None) -> None:
    tag = services.create_tag(actor=None, name="empty")
    assert (tag.entry_id, tag.logic_id) == (0, None)
    define_all("A", system=System.objects.create(code="LAR").code)
    run = make_run(1, lumisections=5)
    record(run, "A", "1")
    assert run_defects(run, "empty", absent=True).defects == []
    assert of_run(run, "A") is not None


def test_it_is_audited_and_told(chi: User, run: Run) -> None:
    services.create_tag(actor=chi, name="T", description="why")
    assert AuditEvent.objects.get(code="defects.create_tag").subject == "tag T"
    change = Change.objects.get(kind="defects.tag")
    assert (change.by, change.data["name"], change.data["entry"]) == (
        "chi",
        "T",
        Entry.objects.aggregate(m=Max("id"))["m"],
    )


@pytest.mark.parametrize("name", ["T", "t"])
def test_a_name_that_exists_is_409(api: Api, chi: User, run: Run, name: str) -> None:
    services.create_tag(actor=None, name="T")
    with pytest.raises(TagExists):
        services.create_tag(actor=None, name=name)
    answer = api(chi).post("/api/v1/tags/", {"name": name}, format="json")
    assert answer.status_code == 409
    assert "exists already" in answer.json()["detail"]
    assert Tag.objects.count() == 1


@pytest.mark.parametrize("name", ["", "HEAD", "head", "a b", "a/b", "Ä", "-x", "x" * 101])
def test_it_refuses_what_is_no_name(api: Api, chi: User, name: str) -> None:
    answer = api(chi).post("/api/v1/tags/", {"name": name}, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "name"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": 1},
        {"name": "T", "runs": 5},
        {"name": "T", "x": 1},
        {"name": "T", "runs": "9-1"},
        {"name": "T", "runs": "x"},
    ],
)
def test_it_refuses_bad_input(api: Api, chi: User, run: Run, body: dict[str, object]) -> None:
    assert api(chi).post("/api/v1/tags/", body, format="json").status_code == 400
    assert not Tag.objects.exists()


def test_rest_makes_and_lists_tags(api: Api, chi: User, run: Run) -> None:
    made = api(chi).post("/api/v1/tags/", {"name": "pro22-01", "description": "first"}, format="json")
    assert made.status_code == 201
    again = api(chi).post("/api/v1/tags/", {"name": "again", "from_tag": "PRO22-01", "runs": "1-5"}, format="json")
    assert (
        again.json().items()
        >= {"from_tag": "pro22-01", "runs": "1-5", "entry": made.json()["entry"], "created_by": "chi"}.items()
    )
    listed = api(chi).get("/api/v1/tags/").json()["results"]
    assert [one["name"] for one in listed] == ["again", "pro22-01"]
    assert api(chi).post("/api/v1/tags/", {"name": "x", "from_tag": "NOPE"}, format="json").status_code == 404
    answer = api(chi).get("/api/v1/runs/1/defects/?tag=PRO22-01").json()
    assert answer["tag"] == "pro22-01"
    assert api(chi).get("/api/v1/defects/?tag=pro22-01").json()["results"][0]["name"] == "A"


def test_definitions_are_listed_as_the_tag_knew_them(api: Api, chi: User, run: Run) -> None:
    services.create_tag(actor=None, name="T")
    services.change_defect(actor=None, defect="A", name="A_NEW", description="renamed")
    define("W", "A_NEW")
    names = [one["name"] for one in api(chi).get("/api/v1/defects/?tag=T").json()["results"]]
    assert names == ["A", "B", "C", "V"]
    assert api(chi).get("/api/v1/defects/A/?tag=T").json()["description"] == ""
    assert api(chi).get("/api/v1/defects/A/").status_code == 404
    assert api(chi).get("/api/v1/defects/W/?tag=T").status_code == 404


def test_an_unknown_tag_names_the_nearest(run: Run) -> None:
    services.create_tag(actor=None, name="pro22-01")
    with pytest.raises(UnknownTag, match=r"Did you mean pro22-01\?"):
        run_defects(run, "pro22-02")
