"""What is not known to be good is not in the list, and the list says why."""

from __future__ import annotations

from typing import Any

import pytest

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.append_only import AppendOnlyError
from certifier.audit.models import AuditEvent
from certifier.defects import services as defects
from certifier.goodruns import services
from certifier.goodruns.building import BuildRefused
from certifier.goodruns.contents import content_of
from certifier.goodruns.models import GoodRunList
from certifier.lumi import LumiSet, RunLumiMap
from certifier.review.services import reopen
from certifier.runs.models import Change, Run
from tests.goodruns import world
from tests.goodruns.world import REQUIRED

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def defined() -> None:
    world.make_defects()


def build(name: str = "a list", **options: Any) -> GoodRunList:
    return services.build_list(actor=None, name=name, **{"require": [REQUIRED], "signed_off": False, **options})


def text(list_: GoodRunList) -> dict[int, str]:
    return {run: str(lumisections) for run, lumisections in content_of(list_).items()}


def left_out(list_: GoodRunList) -> dict[int, str]:
    return {each["run"]: each["reason"] for each in list_.provenance["left_out"]}


def test_it_lists_where_every_required_virtual_defect_is_absent() -> None:
    world.make_run(1, 10)
    world.make_run(2, 10)
    world.record(1, "LAR_HVTRIP", "3-5")
    world.record(1, "PIXEL_STANDBY", "5-6")
    world.record(2, "LAR_TOLERABLE", "all")
    assert text(build()) == {1: "1-2 7-10", 2: "1-10"}


def test_it_requires_all_of_several() -> None:
    world.make_run(1, 10)
    world.record(1, "LAR_HVTRIP", "3-5")
    world.record(1, "PIXEL_STANDBY", "9")
    assert text(build("one", require=["EMBA"])) == {1: "1-2 6-10"}
    assert text(build("both", require=["EMBA", "pix"])) == {1: "1-2 6-8 10"}
    assert GoodRunList.objects.get(name="both").require == ["EMBA", "PIX"]


def test_it_ignores_what_is_ignored() -> None:
    world.make_run(1, 10)
    world.record(1, "LAR_HVTRIP", "3-5")
    world.record(1, "PIXEL_STANDBY", "9")
    assert text(build("primary", ignore=["lar_hvtrip"])) == {1: "1-8 10"}
    assert text(build("virtual", ignore=["EMBA"])) == {1: "1-8 10"}


def test_it_takes_back_what_was_entered_absent_later() -> None:
    world.make_run(1, 10)
    world.record(1, "LAR_HVTRIP", "3-5")
    world.record(1, "LAR_HVTRIP", "4", present=False)
    assert text(build()) == {1: "1-2 4 6-10"}


def test_it_leaves_out_a_run_without_lumisections() -> None:
    world.make_run(1, 0)
    world.make_run(2, 3)
    list_ = build()
    assert text(list_) == {2: "1-3"}
    assert left_out(list_) == {1: "no lumisections are known"}


def test_it_says_when_nothing_of_a_run_is_good() -> None:
    world.make_run(1, 3)
    world.record(1, "LAR_HVTRIP", "all")
    list_ = build()
    assert (list_.run_count, list_.lumisection_count) == (0, 0)
    assert left_out(list_) == {1: f"{REQUIRED} present (or not known to be absent) on every lumisection"}


def test_it_wants_every_system_it_depends_on_signed() -> None:
    for number in (1, 2, 3):
        world.make_run(number, 5)
    world.sign(1, "PIXEL", "LAR")
    world.sign(2, "LAR")
    list_ = build(signed_off=True)
    assert text(list_) == {1: "1-5"}
    assert left_out(list_) == {2: "not signed off: PIXEL", 3: "not signed off: LAR, PIXEL"}
    assert list_.provenance["systems"] == ["LAR", "PIXEL"]


def test_it_asks_only_the_systems_that_matter() -> None:
    world.make_run(1, 5)
    world.sign(1, "LAR")
    assert text(build("emba", require=["EMBA"], signed_off=True)) == {1: "1-5"}
    # A defect that is ignored makes nobody answer for it.
    assert text(build("ignored", ignore=["PIX"], signed_off=True)) == {1: "1-5"}
    assert text(build("all", signed_off=True)) == {}


def test_it_leaves_out_a_run_that_was_reopened() -> None:
    run = world.make_run(1, 5)
    world.sign(1, "LAR")
    reopen(actor=None, run=run, system=System.objects.get(code="LAR"), stage="express", comment="noise")
    assert text(build(require=["EMBA"], signed_off=True)) == {}


def test_it_can_want_a_later_stage() -> None:
    world.make_run(1, 5)
    world.make_run(2, 5)
    world.sign(1, "LAR")
    world.sign(2, "LAR")
    world.sign(2, "LAR", stage="bulk")
    assert text(build("express", require=["EMBA"], signed_off=True, stage="express")) == {1: "1-5", 2: "1-5"}
    assert text(build("bulk", require=["EMBA"], signed_off=True, stage="bulk")) == {2: "1-5"}


def test_it_keeps_to_the_selected_runs() -> None:
    for number in (1, 2, 3, 4, 5):
        world.make_run(number, 2)
    list_ = build(runs="2-3, 5")
    assert list(text(list_)) == [2, 3, 5]
    assert list_.run_selection == "2-3 5"


def test_it_builds_at_a_tag_with_the_words_of_then() -> None:
    world.make_run(1, 10)
    world.record(1, "LAR_HVTRIP", "3-5")
    tag = defects.create_tag(actor=None, name="pro01")
    world.record(1, "LAR_HVTRIP", "8")
    defects.change_defect(actor=None, defect="EMBA", expression="LAR_NOISEBURST")
    at_tag = build("at the tag", tag=tag)
    assert text(at_tag) == {1: "1-2 6-10"}
    assert at_tag.provenance["expressions"]["EMBA"] == "LAR_HVTRIP or LAR_NOISEBURST"
    assert text(build("now")) == {1: "1-10"}


def test_it_knows_only_the_runs_of_a_restricted_tag() -> None:
    world.make_run(1, 4)
    world.make_run(2, 4)
    tag = defects.create_tag(actor=None, name="first", runs="1")
    list_ = build(tag=tag)
    assert text(list_) == {1: "1-4"}
    assert left_out(list_) == {2: "not part of tag first"}


def test_it_evaluates_a_negation_over_the_whole_run() -> None:
    cast_not_ready = defects.NewDefect(name="NOT_READY", system="LAR", expression="not LAR_TOLERABLE")
    defects.define_defects(actor=None, definitions=[cast_not_ready])
    world.make_run(1, 6)
    world.make_run(2, 6)
    world.record(1, "LAR_TOLERABLE", "2-4")
    assert text(build(require=["NOT_READY"])) == {1: "2-4"}


def test_it_keeps_its_provenance() -> None:
    chi_ran = world.make_run(1, 4)
    world.record(1, "LAR_HVTRIP", "2")
    list_ = build()
    assert list_.entry_id > 0
    assert list_.logic > 0
    assert list_.require == [REQUIRED]
    assert list_.provenance["expressions"] == {
        "EMBA": "LAR_HVTRIP or LAR_NOISEBURST",
        REQUIRED: "PIX or EMBA",
        "PIX": "PIXEL_DISABLED or PIXEL_STANDBY",
    }
    assert content_of(list_) == RunLumiMap({chi_ran.number: LumiSet.parse("1 3-4")})
    event = AuditEvent.objects.get(code="goodruns.build_list")
    assert event.data["sha256"] == list_.sha256
    assert Change.objects.get(kind="goodruns.list").data["id"] == list_.pk


def test_it_never_changes() -> None:
    world.make_run(1, 4)
    list_ = build()
    list_.description = "something else"
    with pytest.raises(AppendOnlyError):
        list_.save()
    with pytest.raises(AppendOnlyError):
        list_.runs.all().delete()


def test_it_returns_the_same_list_when_asked_in_the_same_words() -> None:
    world.make_run(1, 4)
    first = build()
    again = build()
    assert again.pk == first.pk
    assert (first.already_there, again.already_there) == (False, True)
    assert AuditEvent.objects.filter(code="goodruns.build_list").count() == 1


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("taken", {"ignore": ["PIX"]}, "same lumisections but was made in another way"),
        ("taken", {"runs": "2"}, "exists with another content"),
        ("TAKEN", {}, "differs in case only"),
    ],
)
def test_it_refuses_a_name_that_is_taken(name: str, options: dict[str, Any], words: str) -> None:
    world.make_run(1, 4)
    build("taken")
    with pytest.raises(services.ListExists, match=words) as refusal:
        build(name, **options)
    assert refusal.value.status == 409
    assert GoodRunList.objects.count() == 1


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"require": []}, "require", "requires nothing would call everything good"),
        ({"require": ["LAR_HVTRIP"]}, "require", "is a primary defect"),
        ({"require": ["NOSUCH"]}, "require", "There is no defect “NOSUCH”"),
        ({"require": [f"V{n}" for n in range(101)]}, "require", "At most 100"),
        ({"ignore": ["NOSUCH"]}, "ignore", "There is no defect “NOSUCH”"),
        ({"ignore": [REQUIRED]}, "ignore", "required and ignored at once"),
        ({"runs": "9-1"}, "runs", "reversed"),
        ({"runs": "x"}, "runs", "not a run"),
        ({"runs": "1," * 20_000}, "runs", "longer than"),
        ({"stage": "prompt"}, "stage", "Choose one of express, bulk, final"),
    ],
)
def test_it_names_what_cannot_be_asked(options: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(BuildRefused, match=words) as refusal:
        build(**options)
    assert refusal.value.errors[0]["field"] == field


@pytest.mark.parametrize("name", ["", " padded ", "x" * 201, "12345", "two\nlines", "nul\0"])
def test_it_refuses_names_that_are_none(name: str) -> None:
    with pytest.raises(services.ListRefused):
        build(name)


def test_it_refuses_a_shifter(ben: User) -> None:
    with pytest.raises(NotAllowed, match="coordinator"):
        services.build_list(actor=ben, name="mine", require=[REQUIRED])
    assert not GoodRunList.objects.exists()


def test_it_has_the_luminosity_that_is_known_and_says_of_how_much() -> None:
    world.make_run(1, 4, recorded=[1.0, 2.0, None, 8.0])
    world.make_run(2, 3)
    world.record(1, "LAR_HVTRIP", "2")
    list_ = build()
    assert list_.recorded_inv_nb == pytest.approx(9.0)
    assert list_.delivered_inv_nb == pytest.approx(9.9)
    assert (list_.lumisection_count, list_.recorded_lumisections) == (6, 2)
    only_unknown = build("unknown", runs="2")
    assert only_unknown.recorded_inv_nb is None
    assert only_unknown.recorded_lumisections == 0


def test_it_publishes_under_the_name_of_whoever_asked(chi: User) -> None:
    world.make_run(1, 4)
    list_ = services.build_list(actor=chi, name="of Chi", require=[REQUIRED], signed_off=False)
    assert list_.created_by == chi
    assert Run.objects.count() == 1
