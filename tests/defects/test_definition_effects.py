"""What a definition would change is shown before it is saved, and is what saving then changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from certifier.accounts.models import User
from certifier.defects import selectors, services
from certifier.defects.definition_effects import effects_of_definition
from certifier.defects.errors import DefinitionRefused
from certifier.defects.logic_at import Meaning, logic_at
from certifier.defects.models import Defect, LogicVersion
from certifier.defects.selectors import run_defects
from certifier.defects.tree_picture import MOST_ROWS, picture_of
from certifier.runs.models import Run
from tests.goodruns import world
from tests.goodruns.world import REQUIRED
from tests.web.experiment import words

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]


@pytest.fixture(autouse=True)
def taken() -> None:
    world.make_defects()
    world.make_run(1, 10, recorded=[1000.0] * 10)
    world.make_run(2, 5)
    world.record(1, "LAR_HVTRIP", "1-4")
    world.record(1, "LAR_NOISEBURST", "4-6")
    world.record(1, "PIXEL_DISABLED", "6")
    world.record(2, "LAR_NOISEBURST", "5")


def shown(name: str, expression: str) -> dict[str, Any]:
    before = logic_at().definitions.find(name)
    if before is None:
        system = logic_at().definitions["EMBA"]
        wanted = Meaning(0, name, system.system, "LAR", "", expression, intolerable=False, since=0)
    else:
        wanted = replace(before, expression=expression)
    return {effect.name: effect for effect in effects_of_definition(wanted, before)}


def test_it_tells_what_is_gained_and_lost_also_where_others_depend_on_it() -> None:
    found = shown("EMBA", "LAR_HVTRIP and not LAR_NOISEBURST")
    assert list(found) == ["EMBA", REQUIRED]
    emba, all_good = found["EMBA"], found[REQUIRED]
    assert (emba.runs, emba.lost, emba.gained, emba.gained_inv_nb) == (2, 0, 4, pytest.approx(3000.0))
    # Lumisection 6 stays lost to PIXEL_DISABLED.
    assert (all_good.gained, all_good.gained_inv_nb) == (3, pytest.approx(2000.0))
    assert emba.most == [(1, 3), (2, 1)]
    assert not LogicVersion.objects.filter(number__gt=logic_at().definitions.version).exists()


def test_a_new_virtual_defect_is_lost_where_it_would_be_present() -> None:
    found = shown("NEW", "LAR_NOISEBURST")
    assert (found["NEW"].lost, found["NEW"].gained) == (4, 0)


def test_it_refuses_what_defining_refuses() -> None:
    with pytest.raises(DefinitionRefused, match="circular"):
        shown("EMBA", REQUIRED)
    with pytest.raises(DefinitionRefused, match="not defined"):
        shown("EMBA", "NOSUCH")


def test_a_primary_defect_changes_no_lumisection() -> None:
    before = logic_at().definitions["LAR_HVTRIP"]
    assert effects_of_definition(replace(before, description="x", intolerable=False), before) == []


PRIMARIES = ["LAR_HVTRIP", "LAR_NOISEBURST", "PIXEL_DISABLED"]
terms = st.sampled_from(PRIMARIES)
expressions = st.recursive(
    terms | terms.map(lambda term: f"not {term}"),
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    max_leaves=4,
)


@settings(max_examples=25)
@given(expressions)
def test_what_is_shown_is_what_saving_changes(expression: str) -> None:
    def present() -> dict[tuple[int, str], set[int]]:
        return {
            (run.number, each.defect): set(each.present.numbers())
            for run in Run.objects.all()
            for each in run_defects(run, defects=["EMBA", REQUIRED]).defects
        }

    before, effects = present(), shown("EMBA", expression)
    services.change_defect(actor=None, defect="EMBA", expression=expression)
    after = present()
    for name, effect in effects.items():
        keys = [(run, name) for run in (1, 2)]
        lost = sum(len(after.get(key, set()) - before.get(key, set())) for key in keys)
        gained = sum(len(before.get(key, set()) - after.get(key, set())) for key in keys)
        assert (effect.lost, effect.gained) == (lost, gained)
    services.change_defect(actor=None, defect="EMBA", expression="LAR_HVTRIP LAR_NOISEBURST")


def test_the_page_shows_it_and_saves_nothing(page: Page, chi: User, dee: User) -> None:
    body = {"name": "EMBA", "system": "LAR", "description": "", "expression": "LAR_HVTRIP", "show": "1"}
    client = page(chi)
    text = words(client.post("/defects/d/EMBA/edit/", body).content.decode())
    assert "What saving would change" in text
    assert "EMBA 2 – 3 LS, 2.00 /pb" in text
    assert Defect.objects.get(name="EMBA").expression == "LAR_HVTRIP or LAR_NOISEBURST"
    part = client.post("/defects/d/EMBA/edit/", body, headers={"HX-Request": "true", "HX-Target": "effect"})
    assert "<html" not in part.content.decode()
    refused = client.post("/defects/d/EMBA/edit/", body | {"expression": "NOSUCH"})
    assert refused.status_code == 422
    assert "names what is not defined: NOSUCH" in words(refused.content.decode())
    new = client.post("/defects/define/", body | {"name": "EMBC", "expression": "LAR_NOISEBURST"})
    assert "EMBC 2 4 LS, 3.00 /pb" in words(new.content.decode())
    assert not Defect.objects.filter(name="EMBC").exists()
    assert page(dee).post("/defects/d/EMBA/edit/", body).status_code == 403


def test_a_picture_has_a_box_per_defect_and_a_line_per_dependency() -> None:
    picture = picture_of(selectors.dependency_tree(REQUIRED), lambda meaning: f"/{meaning.name}/")
    named = {REQUIRED, "PIX", "EMBA", "PIXEL_DISABLED", "PIXEL_STANDBY", "LAR_HVTRIP", "LAR_NOISEBURST"}
    assert {box.title for box in picture.boxes} == named
    assert len(picture.lines) == 6
    heights = sorted(box.y for box in picture.boxes if box.title.startswith(("LAR", "PIXEL")))
    assert all(later - one >= picture.box_height for one, later in pairwise(heights))
    assert all(box.x + picture.box_width <= picture.width and box.y <= picture.height for box in picture.boxes)


def test_primary_defects_share_a_box_where_there_are_very_many() -> None:
    names = [f"LAR_{n}" for n in range(MOST_ROWS + 5)]
    services.define_defects(actor=None, definitions=[services.NewDefect(name=name, system="LAR") for name in names])
    services.define_defect(actor=None, name="MANY", system="LAR", expression=" ".join(names))
    picture = picture_of(selectors.dependency_tree("MANY"), lambda meaning: "")
    assert [box.text for box in picture.boxes] == [f"{MOST_ROWS + 5} primary defects", "MANY"]


def test_the_page_of_a_virtual_defect_has_its_picture(page: Page, ben: User) -> None:
    html = page(ben).get(f"/defects/d/{REQUIRED}/").content.decode()
    assert 'class="graph"' in html
    assert 'class="graph"' not in page(ben).get("/defects/d/LAR_HVTRIP/").content.decode()
