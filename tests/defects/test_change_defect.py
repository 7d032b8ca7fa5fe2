from __future__ import annotations

from typing import Any

import pytest

from certifier.accounts.models import System, User
from certifier.defects import services
from certifier.defects.errors import DefectExists, DefinitionChanged, DefinitionRefused
from certifier.defects.logic_at import logic_at
from certifier.defects.models import Defect, Definition, LogicVersion
from tests.defects.builders import Api, define, define_all

pytestmark = pytest.mark.django_db


def versions() -> int:
    return LogicVersion.objects.count()


@pytest.mark.parametrize(
    "change",
    [{"expression": "A and B"}, {"description": "new"}, {"intolerable": True}, {"name": "V2"}, {"system": "PIXEL"}],
)
def test_each_change_makes_one_version(chi: User, lar: System, pixel: System, change: dict[str, Any]) -> None:
    define_all("A", "B")
    defect = define("V", "A")
    before = versions()
    services.change_defect(actor=chi, defect=defect, **change)
    assert versions() == before + 1
    assert Definition.objects.filter(defect=defect).count() == 2


def test_no_change_makes_no_version(api: Api, chi: User, lar: System) -> None:
    define_all("A", "B")
    define("V", "A B", description="d")
    before = versions()
    same = {"expression": "b a", "description": "d", "intolerable": False, "name": "V", "system": "LAR"}
    assert api(chi).patch("/api/v1/defects/v/", {**same, "expression": "a or b"}, format="json").status_code == 200
    assert api(chi).patch("/api/v1/defects/v/", {}, format="json").status_code == 200
    assert versions() == before


def test_an_older_version_keeps_its_meaning(lar: System) -> None:
    define_all("A", "B")
    defect = define("V", "A")
    old = versions()
    services.change_defect(actor=None, defect=defect, expression="B", intolerable=True)
    assert logic_at(old).definitions["V"].expression == "A"
    assert logic_at().definitions["V"].expression == "B"
    assert logic_at(0).definitions == {}


@pytest.mark.parametrize(("name", "expression"), [("A", "B"), ("V", None)])
def test_the_kind_never_changes(api: Api, chi: User, lar: System, name: str, expression: str | None) -> None:
    define_all("A", "B")
    define("V", "A")
    answer = api(chi).patch(f"/api/v1/defects/{name}/", {"expression": expression}, format="json")
    assert answer.status_code == 400
    assert "stays so" in answer.json()["errors"][0]["message"]


def test_cycles_are_refused_with_the_way_round(lar: System) -> None:  # E14
    define_all("A")
    v = define("V", "A")
    define("W", "V")
    define("X", "W A")
    with pytest.raises(DefinitionRefused) as caught:
        services.change_defect(actor=None, defect=v, expression="X or A")
    assert any(way in caught.value.message for way in ("V → X → W → V", "X → W → V → X", "W → V → X → W"))
    assert Defect.objects.get(name="V").expression == "A"


def test_a_defect_cannot_be_defined_by_itself(lar: System) -> None:
    define("A")
    with pytest.raises(DefinitionRefused, match="V → V"):
        define("V", "A or not v")
    v = define("V", "A")
    with pytest.raises(DefinitionRefused, match="itself"):
        services.change_defect(actor=None, defect=v, name="W", expression="w A")
    with pytest.raises(DefinitionRefused):
        services.change_defect(actor=None, defect=v, name="W", expression="V A")


def test_a_rename_is_written_into_the_expressions_that_use_it(lar: System) -> None:
    define_all("LAR_OLD", "B")
    v = define("V", "LAR_OLD B")
    w = define("W", "not LAR_OLD")
    define("U", "B")
    before = versions()
    services.change_defect(actor=None, defect="lar_old", name="LAR_NEW")
    assert Defect.objects.get(pk=v.pk).expression == "LAR_NEW or B"
    assert Defect.objects.get(pk=w.pk).expression == "not LAR_NEW"
    assert versions() == before + 1
    newest = LogicVersion.objects.order_by("-number")[0]
    assert {definition.name for definition in newest.definitions.all()} == {"LAR_NEW", "V", "W"}
    assert newest.summary == "LAR_OLD renamed to LAR_NEW; 2 expressions rewritten"
    assert set(logic_at(before).definitions) >= {"LAR_OLD"}
    assert logic_at(before).definitions["V"].expression == "LAR_OLD or B"


def test_a_rename_may_change_the_case_and_reuse_an_old_name(lar: System) -> None:
    a, b = define_all("A", "B")
    services.change_defect(actor=None, defect=a, name="a")
    services.change_defect(actor=None, defect=a, name="C")
    services.change_defect(actor=None, defect=b, name="A")
    assert sorted(logic_at().definitions) == ["A", "C"]


def test_a_rename_to_a_taken_name_is_refused(lar: System) -> None:
    a, _ = define_all("A", "B")
    define("V", "A")
    for taken in ("b", "v"):
        with pytest.raises(DefectExists):
            services.change_defect(actor=None, defect=a, name=taken)


def test_a_stale_definition_is_refused(api: Api, chi: User, ada: User, lar: System) -> None:
    define("A")
    read = api(chi).get("/api/v1/defects/A/")
    assert api(ada).patch("/api/v1/defects/A/", {"description": "first"}, format="json").status_code == 200
    second = {"description": "second"}
    stale = api(chi).patch("/api/v1/defects/A/", second, format="json", headers={"If-Match": read["ETag"]})
    assert stale.status_code == 412
    fresh = api(chi).get("/api/v1/defects/A/")["ETag"]
    answer = api(chi).patch("/api/v1/defects/A/", second, format="json", headers={"If-Match": fresh})
    assert answer.status_code == 200
    with pytest.raises(DefinitionChanged):
        services.change_defect(actor=chi, defect="A", description="third", expected_version=1)


def test_an_unknown_defect_is_404(api: Api, chi: User, lar: System) -> None:
    assert api(chi).patch("/api/v1/defects/NOPE/", {"description": "x"}, format="json").status_code == 404
