from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.audit.models import AuditEvent
from certifier.defects import services
from certifier.defects.definition_rules import NewDefect
from certifier.defects.errors import DefectExists, DefinitionRefused
from certifier.defects.models import Defect, Definition, LogicVersion
from certifier.runs.models import Change
from tests.defects.builders import Api, define, define_all

pytestmark = pytest.mark.django_db


def test_it_defines_a_primary_defect(api: Api, ada: User) -> None:
    answer = api(ada).post(
        "/api/v1/defects/",
        {"name": "LAR_EMBA_HVTRIP", "system": "LAR", "description": "A line tripped – ±5%.", "intolerable": True},
        format="json",
    )
    assert answer.status_code == 201
    expected = {
        "name": "LAR_EMBA_HVTRIP",
        "system": "LAR",
        "description": "A line tripped – ±5%.",
        "expression": None,
        "intolerable": True,
    }
    assert answer.json() == expected
    assert api(ada).get("/api/v1/defects/lar_emba_hvtrip/").json() == expected


def test_it_stores_the_expression_canonical_in_stored_case(lar: System) -> None:
    define_all("A_one", "B", "C")
    assert define("V", "a_ONE  b !c").expression == "A_one or B or not C"
    assert define("W", "((a_one)) AND ( b OR NOT(c) )").expression == "A_one and (B or not C)"
    assert define("X", "v w").expression == "V or W"


def test_it_writes_definition_version_audit_and_feed_together(ada: User) -> None:
    services.define_defect(actor=ada, name="LAR_A", system="lar")
    version = LogicVersion.objects.get()
    assert (version.number, version.by, version.summary) == (1, ada, "LAR_A defined")
    assert Definition.objects.get().version == version
    event = AuditEvent.objects.get(code="defects.define_defect")
    assert (event.actor_name, event.subject) == ("ada", "defect LAR_A")
    assert Change.objects.get(kind="defects.definitions").data["defects"] == ["LAR_A"]


def test_it_defines_several_that_name_each_other_in_one_version(lar: System) -> None:
    new = [
        NewDefect(name="V", system="LAR", expression="W or A"),
        NewDefect(name="W", system="LAR", expression="A"),
        NewDefect(name="A", system="LAR"),
    ]
    services.define_defects(actor=None, definitions=new)
    assert LogicVersion.objects.count() == 1
    assert Definition.objects.count() == 3


@pytest.mark.parametrize("name", ["", "A B", "A-B", "LÄR", "Ａ", "A\n", "and", "Or", "NOT", "x" * 101, "A;drop"])
def test_it_refuses_what_is_no_name(api: Api, chi: User, lar: System, name: str) -> None:
    answer = api(chi).post("/api/v1/defects/", {"name": name, "system": "LAR"}, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "name"
    assert not Defect.objects.exists()


def test_it_refuses_an_unknown_system_and_says_which_is_near(lar: System) -> None:
    with pytest.raises(DefinitionRefused, match=r"no system “LARG”\. Did you mean LAR\?") as caught:
        define("A", system="LARG")
    assert caught.value.errors[0]["field"] == "system"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"system": "LAR"}, "name"),
        ({"name": "A"}, "system"),
        ({"name": 5, "system": "LAR"}, "name"),
        ({"name": "A", "system": True}, "system"),
        ({"name": "A", "system": "LAR", "intolerable": "yes"}, "intolerable"),
        ({"name": "A", "system": "LAR", "intolerable": 1}, "intolerable"),
        ({"name": "A", "system": "LAR", "expression": ["A"]}, "expression"),
        ({"name": "A", "system": "LAR", "expression": ""}, "expression"),
        ({"name": "A", "system": "LAR", "colour": "red"}, "colour"),
    ],
)
def test_it_names_the_wrong_field(api: Api, chi: User, lar: System, body: dict[str, object], field: str) -> None:
    answer = api(chi).post("/api/v1/defects/", body, format="json")
    assert answer.status_code == 400
    assert field in [error.get("field") for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("A or", "end"),
        ("A -B", "not"),
        ("!!A", "!"),
        ("A and B C", "or"),
        (" or ".join(f"N{number}" for number in range(10_000)), "terms"),
        ("(" * 1000 + "A" + ")" * 1000, "nest"),
        ("A or MISSING or ALSO_MISSING", "MISSING, ALSO_MISSING"),
        ("A or LAR_HVTRIPP", "Did you mean LAR_HVTRIP?"),
    ],
)
def test_it_refuses_what_is_no_expression(api: Api, chi: User, lar: System, expression: str, words: str) -> None:
    define_all("A", "B", "C", "LAR_HVTRIP")
    answer = api(chi).post("/api/v1/defects/", {"name": "V", "system": "LAR", "expression": expression}, format="json")
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["field"] == "expression"
    assert words.lower() in error["message"].lower()
    assert Defect.objects.count() == 4


def test_names_are_unique_ignoring_case_over_both_kinds(lar: System) -> None:
    define_all("A_TEST_DEFECT", "B")
    define("TEST_VIRTUAL", "B")
    for name, expression in [
        ("A_test_defect", None),
        ("a_test_DEFECT", "B"),
        ("Test_Virtual", None),
        ("TEST_virtual", "B"),
    ]:
        with pytest.raises(DefectExists, match="exists already"):
            define(name, expression)


def test_a_name_that_exists_is_409(api: Api, chi: User, lar: System) -> None:
    define("A")
    answer = api(chi).post("/api/v1/defects/", {"name": "a", "system": "LAR"}, format="json")
    assert answer.status_code == 409
    assert "exists already" in answer.json()["detail"]


def test_it_lists_definitions_by_name_with_filters(api: Api, chi: User, lar: System, pixel: System) -> None:
    define_all("b", "A")
    define("P", system="PIXEL", intolerable=True)
    define("V", "A b")

    def names(query: str) -> list[str]:
        return [one["name"] for one in api(chi).get(f"/api/v1/defects/{query}").json()["results"]]

    assert names("") == ["A", "b", "P", "V"]
    assert names("?system=pixel") == ["P"]
    assert names("?virtual=true") == ["V"]
    assert names("?virtual=false&intolerable=true") == ["P"]
    assert api(chi).get("/api/v1/defects/?system=NOPE").status_code == 400
    assert api(chi).get("/api/v1/defects/?virtual=maybe").status_code == 400


def test_an_unknown_name_is_404_with_the_nearest(api: Api, chi: User, lar: System) -> None:
    define("LAR_HVTRIP")
    answer = api(chi).get("/api/v1/defects/LAR_HVTIP/")
    assert answer.status_code == 404
    assert "Did you mean LAR_HVTRIP?" in answer.json()["detail"]
