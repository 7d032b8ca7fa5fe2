"""`manage.py load_demo` once for this module: every page then has something true to show."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Max
from django.test import Client
from django.test.utils import CaptureQueriesContext

from certifier.accounts.demo_accounts import parse
from certifier.accounts.models import Role, System, User
from certifier.audit.models import AuditEvent
from certifier.defects.models import Defect, Entry, LogicVersion, Source, Tag
from certifier.defects.selectors import run_defects
from certifier.demo import (
    catalogue,
    checklists,
    finish,
    kept_trends,
    load,
    months,
    more_systems,
    notes,
    others,
    people,
    showcase,
    signatures,
    world,
)
from certifier.goodruns.contents import content_of
from certifier.goodruns.models import GoodRunList, Origin, RunSummary
from certifier.lumi import LumiSet
from certifier.notices.models import Notice
from certifier.ops.models import Job, JobState
from certifier.precert.models import Mode, Scoring, SystemMode
from certifier.precert.selectors import models_of, verdicts_of_run
from certifier.precert.unscored import asked_versions
from certifier.review.models import Checklist, Item, ItemState, Kind, ShiftNote, SignOff
from certifier.review.selectors import sign_off_state
from certifier.runs.models import Change, Lumisection, Run
from certifier.training.models import Outcome, Training
from certifier.training.recipes import BY_NAME, chosen_recipe
from certifier.trends.models import Trend
from certifier.watch.models import Check
from certifier.watch.services import newest_check
from tests import needs
from tests.demo import every_page

# Once is enough: two minutes, and whatever it goes through is tested on both databases in its own room.
pytestmark = pytest.mark.sqlite


@pytest.fixture(scope="module")
def said(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """What the command printed. Everything it wrote is rolled back after the module."""
    out = StringIO()
    with django_db_blocker.unblock(), transaction.atomic():
        call_command("load_demo", stdout=out, stderr=StringIO())
        yield out.getvalue()
        transaction.set_rollback(True)
    finish.accounts_file().unlink()


@pytest.fixture(autouse=True)
def loaded(said: str, db: None) -> None:
    """Every test sees the world; what a test changes is its own."""


def run_number(number: int) -> Run:
    return Run.objects.get(number=number)


def test_it_ends_with_a_table_that_counts_what_is_there(said: str) -> None:
    rows = dict(line.split(None, 1) for line in said.splitlines() if line.startswith("  "))
    assert rows["runs"] == str(30 + 4 * months.WEEKS)
    assert rows["lumisections"] == f"{Lumisection.objects.count():,}"
    assert rows["entries"] == f"{Entry.objects.count():,}"
    assert rows["recorded"].endswith("/pb")
    assert "pro22-02" in rows["tags"]


def test_its_signatures_say_what_was_ticked_and_its_shifts_left_notes() -> None:
    assert Checklist.objects.count() == 3 * len(catalogue.SYSTEMS)
    with_list = SignOff.objects.filter(action="sign", checklist__isnull=False)
    assert not with_list.filter(at__lt=checklists.WRITTEN_AT).exists()
    assert with_list.count() > 200
    lar = SignOff.objects.get(run__number=world.SHOWCASE, system__code="LAR", stage="express", action="sign")
    assert (lar.ticked, lar.comment) == ([0, 2], "The dip at 199 looks like a trip; the log of line 14 is not here yet")
    assert list(ShiftNote.objects.order_by("id").values_list("by_name", "text")) == [
        (note.by, note.text) for note in notes.WRITTEN
    ]
    newest = ShiftNote.objects.latest("id")
    assert abs(newest.at - notes.WRITTEN[-1].at) < timedelta(minutes=1)


def test_it_does_nothing_the_second_time() -> None:
    def state() -> list[int]:
        rows = [Run, Lumisection, Entry, SignOff, GoodRunList, Job, AuditEvent, Change, User]
        return [model._default_manager.count() for model in rows]

    before, out = state(), StringIO()
    call_command("load_demo", stdout=out)
    assert state() == before
    assert "loaded already" in out.getvalue()


def test_it_shows_run_350479_as_its_users_know_it() -> None:
    present = {
        each.defect: str(each.present) for each in run_defects(run_number(world.SHOWCASE)).defects if not each.virtual
    }
    assert present == {
        "EGAMMA_ETAPHI_SPIKES": "1-719",
        "GLOBAL_BUSY": "1-7 12-16 49 456 501 547 608 613 658",
        "GLOBAL_NOTREADY": "1-64 718-719",
        "ID_BS_RUNAVERAGE": "1-64 718-719",
        "ID_IBL_TRACKCOVERAGE": "1-719",
        "JET_LOWOCCUPANCY": "1-719",
        "LAR_DATACORRUPT": "117-133 199 717",
        "LAR_EMBA_DATACORRUPT": "118-132",
        "LAR_EMECA_NOISEBURST": str(LumiSet.parse(showcase.NOISE_A)),
        "LAR_EMECC_NOISEBURST": str(LumiSet.parse(showcase.NOISE_C)),
    }


def test_it_keeps_apart_what_was_recorded_apart() -> None:
    """The slide lists 117, 118-132 and 133: three records, not one."""
    (corrupt,) = run_defects(run_number(world.SHOWCASE), defects=["LAR_DATACORRUPT"]).defects
    assert [str(interval.lumisections) for interval in corrupt.intervals] == ["117", "118-132", "133", "199", "717"]
    assert {interval.user for interval in corrupt.intervals} == {"ada", "sys:hancool"}


def test_it_has_systems_and_defects_of_an_experiment() -> None:
    assert System.objects.count() == 19
    assert Defect.objects.filter(expression=None).count() == len(catalogue.PRIMARIES) >= 60
    assert Defect.objects.exclude(expression=None).count() == len(catalogue.VIRTUALS) >= 20
    assert Defect.objects.filter(expression__contains=" and not ").exists()
    assert set(Defect.objects.filter(intolerable=True).values_list("expression", flat=True)) == {None}


def test_it_corrects_a_low_voltage_through_and_not() -> None:
    entries = Entry.objects.filter(defect__name="LAR_HECC_HVNONNOM_CORRECTED", present=True).order_by("run__number")
    run = next(entry.run for entry in entries if run_defects(entry.run, defects=["LAR_HECC_HVNONNOMINAL"]).defects)
    assert not run_defects(run, defects=["HEC"]).defects


def test_it_dates_entries_and_signatures_shortly_after_their_run() -> None:
    for model, field in ((Entry, "entered_at"), (SignOff, "at")):
        for number, started, last in model._default_manager.values_list("run__number", "run__started_at").annotate(
            Max(field)
        ):
            assert started < last < world.END_OF_WORLD, number


def test_it_has_entries_by_many_people_and_robots() -> None:
    users = set(Entry.objects.values_list("user", flat=True))
    assert {"ada", "ben", "sys:calculator", "sys:hancool"} <= users
    assert len(users) > 12
    assert set(Entry.objects.values_list("source", flat=True)) == {Source.PAGE, Source.ROBOT, Source.REVIEW}
    assert Entry.objects.filter(present=False).count() > 100
    assert Entry.objects.exclude(comment="").count() > 1_400


def test_it_has_people_of_every_role() -> None:
    roles = set(User.objects.values_list("username", "grants__role", "grants__system__code"))
    assert {("ada", Role.EXPERT, "LAR"), ("ben", Role.SHIFTER, None), ("chi", Role.COORDINATOR, None)} <= roles
    assert {("dee", None, None), ("ova", Role.ADMIN, None)} <= roles
    assert User.objects.get(username="ada").check_password(people.PASSWORD)
    assert not User.objects.get(username="sys:hancool").has_usable_password()


def test_it_names_the_accounts_to_the_sign_in_page() -> None:
    accounts = parse(finish.accounts_file().read_text(encoding="utf-8"))
    assert accounts is not None
    assert accounts.password == people.PASSWORD
    assert ("ada", "expert of LAR") in accounts.accounts
    assert len(accounts.accounts) == len(people.PEOPLE)


def test_it_shows_every_state_of_a_signature() -> None:
    states = {state.system.code: state for state in sign_off_state(run_number(world.SHOWCASE))}
    assert sum(state.is_signed for state in states.values()) == 14
    assert [stage.state for stage in states["LAR"].stages] == ["signed", "reopened", "unchecked"]
    assert "read out anew" in states["LAR"].stages[1].comment
    assert [stage.state for stage in states["JET"].stages] == ["unchecked"] * 3
    assert [stage.state for stage in states["GLOBAL"].stages] == ["signed", "signed", "unchecked"]
    empty = sign_off_state(run_number(world.WITHOUT_LUMISECTIONS))[0]
    assert any("no lumisections yet" in reason for reason in empty.stages[0].blocked_by)
    going = sign_off_state(run_number(world.STILL_GOING))[0]
    assert any("still going on" in reason for reason in going.stages[1].blocked_by)
    assert all(state.next_stage is None for state in sign_off_state(run_number(350031)))


def test_it_keeps_the_old_name_at_the_older_tag() -> None:
    (old, new), *_ = catalogue.RENAMED.items()
    run = Entry.objects.filter(defect__name=new, present=True, run__number__lt=350400).order_by("id")[0].run
    at_tag = {each.defect for each in run_defects(run, "pro22-01", absent=True).defects}
    now = {each.defect for each in run_defects(run, absent=True).defects}
    assert old in at_tag
    assert new in now
    assert LogicVersion.objects.count() == 5


def test_it_has_two_tags_the_newer_of_some_runs() -> None:
    assert [tag.name for tag in Tag.objects.order_by("id")] == ["pro22-01", "pro22-02"]
    assert Tag.objects.get(name="pro22-02").runs == load.PERIODS_KL
    assert (
        Tag.objects.get(name="pro22-01").entry_id
        < Tag.objects.get(name="pro22-02").entry_id
        < Entry.objects.latest("id").pk
    )


def test_it_publishes_two_lists_that_differ_and_imports_one() -> None:
    older, newest = (GoodRunList.objects.get(name=name) for name in (load.FIRST_LIST, load.NEWEST_LIST))
    ready = GoodRunList.objects.get(name=load.READY_LIST)
    assert ready.origin == Origin.IMPORTED
    assert GoodRunList.objects.filter(origin=Origin.BUILT).latest("id") == newest
    before, after = content_of(older), content_of(newest)
    assert after - before
    assert before - after
    assert after <= content_of(ready)
    reasons = {each["run"]: each["reason"] for each in newest.provenance["left_out"]}
    assert "LAR" not in reasons[world.SHOWCASE]
    assert "JET" in reasons[world.SHOWCASE]


def test_it_leaves_jobs_that_ran_one_of_which_failed() -> None:
    states = Job.objects.order_by("id").values_list("kind", "state")
    assert list(states) == [
        ("demo.check_world", JobState.DONE),
        ("demo.import_list", JobState.FAILED),
        ("demo.import_list", JobState.DONE),
    ]
    failed = Job.objects.get(state=JobState.FAILED)
    assert "half a file" in failed.message
    assert failed.acknowledged_at


def test_it_leaves_summaries_that_are_up_to_date() -> None:
    summaries = RunSummary.objects.in_bulk(field_name="run_id")
    assert len(summaries) == Run.objects.count() == 30 + 4 * months.WEEKS
    known = summaries[run_number(world.SHOWCASE).pk]
    assert (known.signed_systems, known.open_systems) == (14, 5)
    assert known.required == load.REQUIRED


def test_it_signs_in_the_right_order() -> None:
    rows = list(SignOff.objects.select_related("run", "system").order_by("id"))
    before = [(row.run.number, row.system.code, row.stage) for row in rows if row.run.number < world.FIRST_RUN]
    assert len(rows) - len(before) == len(signatures.acts(list(world.runs())))
    # Of the months before, each system signs the express stage of what it read by hand, once.
    assert len(before) == len(set(before)) > 4 * months.LEARNING[0] * 2
    signed = {"LAR", "PIXEL", *others.RECIPES}
    assert {(system, stage) for _, system, stage in before} == {(system, "express") for system in signed}
    assert [row.at for row in rows] == sorted(row.at for row in rows)


def test_its_models_find_in_the_showcase_what_people_recorded_there() -> None:
    """The champion of the months before; and what it says of the run is what Ada and her colleagues said."""
    verdicts = {verdict.system.code: verdict for verdict in verdicts_of_run(run_number(world.SHOWCASE))}
    lar, pixel = verdicts["LAR"], verdicts["PIXEL"]
    assert LumiSet.parse("118-132") <= lar.bad
    assert len(lar.good) > 500
    assert lar.counts
    assert lar.scoring is not None
    corrupt = LumiSet.parse("118-132")
    suspected = {each.suspected_defect for each in lar.scoring.findings.all() if each.lumisections & corrupt}
    assert suspected == {"LAR_DATACORRUPT"}, lar.scoring.findings.values_list("lumisections", "suspected_defect")
    said = LumiSet()
    for each in run_defects(run_number(world.SHOWCASE), systems=["LAR"]).defects:
        said |= LumiSet() if each.virtual else each.present
    assert len(lar.bad - said) <= 3
    # Where nothing was collided there is nothing to score; where there was, people found nothing wrong with PIXEL.
    assert lar.unscored
    assert pixel.unscored == lar.unscored
    assert (pixel.mode, pixel.bad, pixel.unsure) == (Mode.AUTO, LumiSet(), LumiSet())
    assert pixel.good == pixel.domain - pixel.unscored


def test_its_systems_learned_on_sundays_and_the_gate_gave_reasons() -> None:
    rows = list(Training.objects.select_related("system").order_by("id"))
    assert [row.at for row in rows] == sorted(row.at for row in rows)
    assert {row.system.code for row in rows} == {"LAR", "PIXEL", *others.RECIPES}
    assert all(row.at < datetime(2018, 5, 7, tzinfo=UTC) and row.at.weekday() == 6 for row in rows)
    assert all(row.words for row in rows)
    outcomes = {row.outcome for row in rows}
    assert {Outcome.PROMOTED, Outcome.SHADOW, Outcome.REJECTED} <= outcomes


def test_level_1_rates_show_the_wrong_key_that_the_sign_off_asks_about(client: Client) -> None:
    assert chosen_recipe(System.objects.get(code="TRIG_L1")).name == "rates"
    (verdict,) = [each for each in verdicts_of_run(run_number(350549)) if each.system.code == "TRIG_L1"]
    assert verdict.scoring is not None
    flagged = verdict.bad | verdict.unsure
    assert flagged <= others.WRONG_KEY
    assert len(flagged) >= 8
    (finding,) = verdict.scoring.findings.all()
    assert finding.evidence["elements"][0]["element"] == "Trigger/L1/L1_EM3"
    for number in (350361, 350558):
        (other,) = [each for each in verdicts_of_run(run_number(number)) if each.system.code == "TRIG_L1"]
        assert not other.bad | other.unsure
    client.force_login(User.objects.get(username="jon"))
    page = client.get("/runs/350549/?system=TRIG_L1").content.decode()
    assert "Trigger/L1/L1_EM3" in page


def test_the_map_of_towers_shows_what_is_recorded_and_what_nobody_has_seen() -> None:
    assert chosen_recipe(System.objects.get(code="TILE")).name == "hot-and-dead"
    for number, wrong in ((350531, others.NO_COVER), (world.SHOWCASE, others.HOT)):
        (verdict,) = [each for each in verdicts_of_run(run_number(number)) if each.system.code == "TILE"]
        assert wrong <= verdict.bad
        assert len(verdict.bad - wrong) <= 2
        assert len(verdict.good) > 300
    recorded = run_defects(run_number(350531), defects=[others.UNCOVERED]).defects
    assert [each.present for each in recorded] == [others.NO_COVER]
    said = LumiSet()
    for each in run_defects(run_number(world.SHOWCASE), systems=["TILE"]).defects:
        said |= LumiSet() if each.virtual else each.present
    assert not said & others.HOT


def test_times_of_hits_show_chambers_that_came_back_late() -> None:
    assert chosen_recipe(System.objects.get(code="CSC")).name == "phase"
    (verdict,) = [each for each in verdicts_of_run(run_number(350558)) if each.system.code == "CSC"]
    flagged = verdict.bad | verdict.unsure
    assert len(flagged & others.LATE) >= 12
    assert len(flagged - others.LATE) <= 2
    (other,) = [each for each in verdicts_of_run(run_number(350549)) if each.system.code == "CSC"]
    assert len(other.bad | other.unsure) <= 2


def test_a_chamber_of_tubes_shows_what_is_recorded_and_a_voltage_that_nobody_has_seen() -> None:
    assert chosen_recipe(System.objects.get(code="MDT")).name == "drift-tubes"
    for number, wrong in ((350549, others.NO_DATA), (350558, others.LOW_VOLTAGE)):
        (verdict,) = [each for each in verdicts_of_run(run_number(number)) if each.system.code == "MDT"]
        assert wrong <= verdict.bad | verdict.unsure
        assert len((verdict.bad | verdict.unsure) - wrong) <= 2
        (said,) = run_defects(run_number(number), defects=["MDT_BA_PROBLEM"]).defects or (None,)
        assert (said.present if said else LumiSet()) == (wrong if number == 350549 else LumiSet())


def test_where_detectors_judge_regions_a_finding_names_layer_and_sector(client: Client) -> None:
    client.force_login(User.objects.get(username="hal"))
    for code, words in (("MDT", "layer 4"), ("TGC", "azimuth in degrees")):
        page = client.get(f"/runs/350558/?system={code}").content.decode()
        assert words in page.split('id="findings"')[1].split("</summary>")[0]


def test_every_recipe_has_a_system_whose_model_scores() -> None:
    asked = [each for each in models_of() if asked_versions([each])]
    scored = set(Scoring.objects.values_list("version", flat=True))
    with_word = [each for each in asked if any(version.pk in scored for version in asked_versions([each]))]
    assert {chosen_recipe(each.system).name for each in with_word} == set(BY_NAME)


@pytest.mark.parametrize("code", list(more_systems.PLANS))
def test_each_recipe_finds_what_is_planted_and_nobody_has_recorded(code: str) -> None:
    plan = more_systems.PLANS[code]
    assert chosen_recipe(System.objects.get(code=code)).name == plan.recipe
    said = {}
    for number in (more_systems.CLEAN, more_systems.PLANTED):
        (verdict,) = [each for each in verdicts_of_run(run_number(number)) if each.system.code == code]
        assert verdict.scoring is not None
        said[number] = verdict.bad | verdict.unsure
        assert not run_defects(run_number(number), defects=[plan.defect]).defects
    found = said[more_systems.PLANTED]
    assert len(found & plan.planted) >= len(plan.planted) - 3
    # Of 250 lumisections that are fine.
    assert len(found - plan.planted) + len(said[more_systems.CLEAN]) <= 12


def test_a_branch_for_each_object_names_the_one_that_is_wrong(client: Client) -> None:
    (verdict,) = [each for each in verdicts_of_run(run_number(more_systems.PLANTED)) if each.system.code == "TRIG_HLT"]
    assert verdict.scoring is not None
    worst = verdict.scoring.findings.order_by("-score").first()
    assert worst is not None
    assert worst.lumisections & more_systems.PLANS["TRIG_HLT"].planted
    assert max(worst.evidence["objects"], key=worst.evidence["objects"].get) == "muons"
    client.force_login(User.objects.get(username="kim"))
    assert "HLT/Muons/charge" in client.get(f"/runs/{more_systems.PLANTED}/?system=TRIG_HLT").content.decode()


def test_automation_of_the_pixel_detector_was_stopped_by_the_audit() -> None:
    trusted, stop, again = SystemMode.objects.filter(system__code="PIXEL").order_by("id")
    assert (trusted.mode, stop.mode, again.mode) == (Mode.AUTO, Mode.STOPPED, Mode.AUTO)
    assert stop.by is None
    assert "pollution" in stop.reason
    begun = months.season().week_begins(months.SILENT_WEEK)
    assert begun < stop.at < begun + timedelta(days=21)
    assert Check.objects.get(system__code="PIXEL", stops=True).at < stop.at + timedelta(minutes=1)
    assert again.by is not None
    assert "mended" in again.reason
    assert stop.at + timedelta(days=13) < again.at


def test_what_was_certified_until_then_was_read_by_hand() -> None:
    begun = months.season().week_begins(months.SILENT_WEEK)
    stop = SystemMode.objects.get(system__code="PIXEL", mode=Mode.STOPPED).at
    runs = Run.objects.filter(started_at__gte=begun, started_at__lt=stop)
    assert runs.count() >= 4, "a week of them at least"
    for run in runs:
        assert SignOff.objects.filter(run=run, system__code="PIXEL", by__username="eli").count() == 1
        (empty,) = run_defects(run, defects=[months.EMPTY]).defects
        assert len(empty.present) > 0.5 * run.last_lumisection
    # While it was watched, of whatever was called good without a person much was bad.
    assert Check.objects.get(system__code="PIXEL", stops=True).pollution["estimate"] > 0.1


def test_whatever_is_automatic_keeps_its_promise_as_far_as_the_audit_knows() -> None:
    """Or it would be stopped, and say why."""
    automatic = [each for each in models_of() if each.mode == Mode.AUTO]
    assert [each.system.code for each in automatic] == ["PIXEL", "LAR"]
    for each in automatic:
        assert each.guarantee.certifies_good
        check = newest_check(each.system)
        assert check is not None
        for side in (check.pollution, check.loss):
            assert side["runs"] > 20
            assert side["estimate"] < side["limit"] == months.LIMIT
            assert not side["stop"]


def test_experts_answered_the_audit_of_the_months_and_the_queue_has_work() -> None:
    answered = Item.objects.filter(kind=Kind.AUDIT, state=ItemState.DECIDED, run__number__lt=world.FIRST_RUN)
    assert answered.count() > 20
    waiting = Item.objects.filter(state=ItemState.OPEN)
    assert waiting.filter(run__number__gte=world.FIRST_RUN).count() > 3
    assert not waiting.filter(run__number__lt=world.FIRST_RUN).exists()


def test_people_were_told() -> None:
    kinds = set(Notice.objects.filter(person__username="chi").values_list("kind", flat=True))
    assert len(kinds) > 1


def test_runs_left_the_band_of_a_trend_that_somebody_watches(client: Client) -> None:
    (watched,) = Trend.objects.filter(is_watched=True)
    assert watched.alarms.count() >= 1
    client.force_login(User.objects.get(username="ben"))
    page = client.get("/trends/").content.decode()
    assert all(kept.name in page for _, kept, _ in kept_trends.KEPT)
    assert f"/runs/{watched.alarms.first().run.number}/" in page  # type: ignore[union-attr]


@pytest.mark.parametrize("who", ["chi", "ada"])
def test_no_page_of_it_asks_more_than_twelve_times(who: str, client: Client) -> None:
    client.force_login(User.objects.get(username=who))
    asked = {}
    for name, address in every_page.pages().items():
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
        assert answer.status_code in ({200} if who == "chi" else {200, 403}), name
        asked[name] = len(queries)
    assert {name: count for name, count in asked.items() if count > 12} == {}


def test_axe_finds_nothing_serious_on_any_page_of_it(client: Client, tmp_path: Path) -> None:
    """In both themes; WCAG 2.2, A and AA."""
    chromium = needs.chromium()
    client.force_login(User.objects.get(username="chi"))
    every_page.save(client, tmp_path)
    command = [sys.executable, "-m", "tests.demo.reading_with_axe", str(tmp_path), chromium]
    done = subprocess.run(command, cwd=needs.REPOSITORY, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    assert found.keys() == every_page.pages().keys()
    assert {name: complaints for name, complaints in found.items() if complaints} == {}
