"""What people are said to have done makes sense in the order of time, before anything is written."""

from __future__ import annotations

import re

import pytest

from certifier.demo import catalogue, checklists, history, notes, people, signatures, world
from certifier.lumi import Logic, LumiSet


@pytest.fixture(scope="module")
def runs() -> list[world.WorldRun]:
    return list(world.runs())


@pytest.fixture(scope="module")
def visits(runs: list[world.WorldRun]) -> list[history.Visit]:
    return history.visits(runs)


def test_it_says_the_same_every_time(runs: list[world.WorldRun], visits: list[history.Visit]) -> None:
    assert visits == history.visits(runs)
    assert signatures.acts(runs) == signatures.acts(runs)


def test_it_lets_nobody_speak_before_the_run_or_after_the_end(
    runs: list[world.WorldRun], visits: list[history.Visit]
) -> None:
    over = {run.number: run.over_at for run in runs}
    for visit in visits:
        assert all(over[entry.run] < visit.at < world.END_OF_WORLD for entry in visit.entries)
    assert all(over[act.run] < act.at < world.END_OF_WORLD for act in signatures.acts(runs))


def test_shifts_tell_only_of_runs_that_they_could_know(runs: list[world.WorldRun]) -> None:
    began = {str(run.number): run.started_at for run in runs}
    names = {person.username for person in people.PEOPLE if person.role}
    assert [note.at for note in notes.WRITTEN] == sorted(note.at for note in notes.WRITTEN)
    for note in notes.WRITTEN:
        assert note.by in names
        assert note.at < world.END_OF_WORLD
        told = re.findall(r"\b35\d{4}\b", note.text)
        assert all(began[run] < note.at for run in told), note.text
    assert sum(len(re.findall(r"\b35\d{4}\b", note.text)) for note in notes.WRITTEN) > 8


def test_every_system_has_a_list_for_every_stage(runs: list[world.WorldRun]) -> None:
    assert list(checklists.POINTS) == [plan.code for plan in catalogue.SYSTEMS]
    assert all(len(lists) == len(signatures.STAGES) and all(lists) for lists in checklists.POINTS.values())
    signed = {(act.run, act.system, act.stage): act for act in signatures.acts(runs) if act.action == signatures.SIGN}
    for key, (places, why) in checklists.LEFT_OPEN.items():
        act, points = signed[key], checklists.POINTS[key[1]][signatures.STAGES.index(key[2])]
        assert (act.comment, act.at > checklists.WRITTEN_AT) == (why, True)
        assert len(checklists.ticked(*key)) == len(points) - len(places)


def test_it_records_only_lumisections_of_the_run(runs: list[world.WorldRun], visits: list[history.Visit]) -> None:
    domain = {run.number: run.domain for run in runs}
    entries = [entry for visit in visits for entry in visit.entries]
    assert 1_400 < len(entries) < 1_700
    assert all(LumiSet() < entry.lumisections <= domain[entry.run] for entry in entries)


def test_it_takes_back_only_what_was_said(visits: list[history.Visit]) -> None:
    present: dict[tuple[int, str], LumiSet] = {}
    taken_back = 0
    for entry in (entry for visit in visits for entry in visit.entries):
        before = present.get((entry.run, entry.defect), LumiSet())
        if entry.present:
            present[entry.run, entry.defect] = before | entry.lumisections
        else:
            assert entry.comment
            assert before, f"{entry.defect} was never recorded in run {entry.run}"
            present[entry.run, entry.defect] = before - entry.lumisections
            taken_back += 1
    assert taken_back > 100


def test_it_lets_only_people_of_the_demo_speak(visits: list[history.Visit]) -> None:
    known = {person.username for person in people.PEOPLE if person.role} | set(people.ROBOTS)
    assert {visit.user for visit in visits} <= known
    assert set(people.EXPERT_OF) == {system.code for system in catalogue.SYSTEMS}


def test_it_calls_intolerable_what_the_main_virtual_defect_depends_on() -> None:
    expressions = {virtual.name: virtual.expression for virtual in catalogue.VIRTUALS} | catalogue.WIDENED
    logic = Logic(expressions, [primary.name for primary in catalogue.PRIMARIES])
    harmful = set(logic.primaries_of("PHYS_ALL_GOOD"))
    intolerable = {primary.name for primary in catalogue.PRIMARIES if primary.intolerable}
    # A correction does harm only by its absence.
    assert harmful - intolerable == {"LAR_HECC_HVNONNOM_CORRECTED"}
    assert intolerable <= harmful


def test_it_describes_every_defect_in_a_sentence() -> None:
    described = [each.description for each in catalogue.PRIMARIES] + [each.description for each in catalogue.VIRTUALS]
    for description in [*described, *catalogue.REWORDED.values()]:
        assert description.endswith(".")
        assert len(description) > 25
