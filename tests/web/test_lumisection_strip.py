"""What stands on the lanes of a run."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System
from certifier.defects.selectors import DefectInRun
from certifier.lumi import LumiSet
from certifier.review.selectors import StageState, SystemState
from certifier.web.strip import flag_label, sign_off_words, strip

LAR, PIXEL = System(pk=1, code="LAR", name="Calorimeter"), System(pk=2, code="PIXEL", name="Pixel detector")


def state(system: System, *states: str, entries_since: bool = False) -> SystemState:
    names = ("express", "bulk", "final")
    known = (*states, "unchecked", "unchecked", "unchecked")[:3]
    stages = (StageState(name, is_, entries_since=entries_since) for name, is_ in zip(names, known, strict=True))
    return SystemState(system, tuple(stages))


def defect(name: str, lumisections: str, *, intolerable: bool = False, virtual: bool = False) -> DefectInRun:
    found = LumiSet.parse(lumisections)
    return DefectInRun(name, "LAR", virtual, intolerable, found, LumiSet(), LumiSet(), ())


def test_it_groups_defects_by_system_and_leaves_the_prefix_out() -> None:
    lanes = strip({}, [defect("LAR_NOISE", "3-4"), defect("EMBA_TRIP", "9")], [state(LAR), state(PIXEL)], set())
    (lar,) = lanes.systems
    assert [lane.label for lane in lar.defects] == ["NOISE", "EMBA_TRIP"]
    assert [lane.name for lane in lar.defects] == ["LAR_NOISE", "EMBA_TRIP"]
    assert [lane.system.code for lane in lanes.without_defects] == ["PIXEL"]


def test_it_sums_tolerable_and_intolerable_apart() -> None:
    lanes = strip({}, [defect("A", "1-5"), defect("B", "4-9"), defect("C", "7", intolerable=True)], [state(LAR)], set())
    assert [(str(where), kind) for where, kind, _ in lanes.systems[0].sums] == [("1-9", "sum"), ("7", "int")]


def test_it_leaves_virtual_and_absent_defects_out() -> None:
    lanes = strip({}, [defect("V", "1-5", virtual=True), defect("GONE", "")], [state(LAR)], {"LAR"})
    assert not lanes.systems
    assert not lanes.without_defects[0].is_open


def test_it_unfolds_the_chosen_systems_only() -> None:
    shown = [defect("LAR_NOISE", "1")]
    assert strip({}, shown, [state(LAR)], {"LAR"}).systems[0].is_open
    assert not strip({}, shown, [state(LAR)], {"PIXEL"}).systems[0].is_open


@pytest.mark.parametrize(
    ("states", "mark", "reading"),
    [
        ((), "unchecked", "open · express"),
        (("signed",), "signed", "signed · express"),
        (("signed", "signed"), "signed", "signed · bulk"),
        (("signed", "reopened"), "reopened", "reopened · bulk"),
        (("reopened", "reopened"), "reopened", "reopened · express"),
    ],
)
def test_it_tells_how_far_the_sign_off_is(states: tuple[str, ...], mark: str, reading: str) -> None:
    assert sign_off_words(state(LAR, *states)) == (mark, reading)


def test_it_marks_entries_that_no_signer_has_seen() -> None:
    lanes = strip({}, [], [state(LAR, "signed", entries_since=True), state(PIXEL)], set())
    assert [lane.entries_since for lane in lanes.without_defects] == [True, False]


def test_it_shows_the_flags_that_matter_first_and_folds_the_rest() -> None:
    flags = {name: LumiSet.whole(9) for name in ("zdc", "physics_prescale", "atlas_ready", "csc", "stable_beams")}
    lanes = strip(flags, [], [], set())
    assert [flag.label for flag in lanes.flags] == ["stable beams", "ATLAS ready", "csc"]
    assert [flag.label for flag in lanes.more_flags] == ["physics prescale", "zdc"]


def test_it_writes_flags_as_people_say_them() -> None:
    assert flag_label("cms_ready") == "CMS ready"
    assert flag_label("beam1_present") == "beam1 present"
    assert flag_label("_") == "_"
