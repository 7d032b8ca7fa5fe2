"""Lists and losses of random worlds, beside a reckoning of lumisection after lumisection."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certifier.accounts.models import System
from certifier.defects import services as defects
from certifier.defects.services import NewDefect, NewEntry
from certifier.goodruns import accounting, services
from certifier.goodruns.contents import content_of
from certifier.goodruns.loss_table import OTHER, LossTable
from certifier.lumi import LumiSet
from certifier.review.services import sign_off
from certifier.runs import services as runs
from certifier.runs.models import Run
from tests import cast

pytestmark = pytest.mark.django_db

PRIMARIES = ["A_ONE", "A_TWO", "B_ONE", "B_TWO"]
# What each expression means for one lumisection, in Python's own words.
EXPRESSIONS = {
    "A_ONE or A_TWO or B_ONE": lambda s: s["A_ONE"] or s["A_TWO"] or s["B_ONE"],
    "A_ONE !B_TWO": lambda s: s["A_ONE"] or not s["B_TWO"],
    "(A_ONE or B_ONE) and not A_TWO": lambda s: (s["A_ONE"] or s["B_ONE"]) and not s["A_TWO"],
    "A_TWO and B_TWO": lambda s: s["A_TWO"] and s["B_TWO"],
}
LENGTHS = {1: 6, 2: 4, 3: 0}

entries = st.lists(
    st.tuples(
        st.sampled_from([1, 2]),
        st.sampled_from(PRIMARIES),
        st.sets(st.integers(1, 4), min_size=1),
        st.booleans(),
        st.booleans(),
    ),
    max_size=12,
)
luminosities = st.lists(st.one_of(st.none(), st.floats(0, 100)), min_size=6, max_size=6)


def make_world(expressions: list[str], said: list[Any], recorded: list[float | None]) -> None:
    for code in ("A", "B"):
        cast.make_system(code)
    definitions = [NewDefect(name=name, system=name[0], intolerable=True) for name in PRIMARIES]
    definitions += [NewDefect(name=f"V{place}", system="A", expression=text) for place, text in enumerate(expressions)]
    defects.define_defects(actor=None, definitions=definitions)
    for number, length in LENGTHS.items():
        cast.make_run(number, length)
    runs.put_lumisections(actor=None, run=1, columns={"recorded_inv_nb": recorded})
    new = [
        NewEntry(
            run=run,
            defect=name,
            lumisections=LumiSet.from_numbers(numbers),
            present=present,
            recoverable=present and recoverable,
        )
        for run, name, numbers, present, recoverable in said
    ]
    if new:
        defects.record_entries(actor=None, entries=new, source="page")


def is_good(expressions: list[str], said: list[Any], run: int, lumisection: int) -> bool:
    state = dict.fromkeys(PRIMARIES, False)
    for of, name, numbers, present, _ in said:
        if of == run and lumisection in numbers:
            state[name] = present
    return not any(EXPRESSIONS[text](state) for text in expressions)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    expressions=st.lists(st.sampled_from(sorted(EXPRESSIONS)), min_size=1, max_size=2, unique=True),
    said=entries,
    recorded=luminosities,
    signed=st.sets(st.tuples(st.sampled_from([1, 2]), st.sampled_from(["A", "B"]))),
    signed_off=st.booleans(),
)
def test_it_lists_what_brute_force_finds_and_its_losses_add_up(
    db: None,
    *,
    expressions: list[str],
    said: list[Any],
    recorded: list[float | None],
    signed: set[tuple[int, str]],
    signed_off: bool,
) -> None:
    with transaction.atomic():
        make_world(expressions, said, recorded)
        for number, code in signed:
            sign_off(
                actor=None,
                run=Run.objects.get(number=number),
                system=System.objects.get(code=code),
                stage="express",
            )
        require = [f"V{place}" for place in range(len(expressions))]
        list_ = services.build_list(actor=None, name="list", require=require, signed_off=signed_off)
        found = {(run, number) for run, each in content_of(list_).items() for number in each.numbers()}
        needs = {name[0] for text in expressions for name in PRIMARIES if name in text}
        expected = {
            (run, number)
            for run, length in LENGTHS.items()
            for number in range(1, length + 1)
            if is_good(expressions, said, run, number)
            and (not signed_off or all((run, code) in signed for code in needs))
        }
        assert found == expected
        known = [recorded[number - 1] for run, number in found if run == 1 and recorded[number - 1] is not None]
        assert list_.recorded_lumisections == len(known)
        assert (list_.recorded_inv_nb or 0.0) == pytest.approx(sum(known))
        check_loss(accounting.loss_of(list_), len(expected), recorded)
        transaction.set_rollback(True)


def check_loss(table: LossTable, good: int, recorded: list[float | None]) -> None:
    everything = sum(LENGTHS.values())
    assert table.selected.lumisections == everything
    assert table.good.lumisections == good
    assert table.lost.lumisections == everything - good
    assert sum(charge.lost.lumisections for charge in table.charges) == everything - good
    known = [value for value in recorded if value is not None]
    both = (table.good.recorded_inv_nb or 0.0) + (table.lost.recorded_inv_nb or 0.0)
    assert both == pytest.approx(sum(known))
    assert table.good.recorded_lumisections + table.lost.recorded_lumisections == len(known)
    assert all(charge.recoverable.lumisections <= charge.lost.lumisections for charge in table.charges)
    assert not [charge for charge in table.charges if charge.defect == OTHER]
