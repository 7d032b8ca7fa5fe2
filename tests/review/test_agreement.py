"""How far experts agree with each other and with the machine, beside counting one lumisection after the other."""

from __future__ import annotations

import random

import pytest

from certifier.accounts.models import System, User
from certifier.lumi import LumiSet
from certifier.review.agreement import Table, agreement_of
from certifier.review.deciding import decide, undo
from certifier.review.labels import labels_of
from certifier.review.models import Decision, Item
from certifier.runs.profile import Profile
from tests import cast

from .queue_world import CORRUPT, NOISE, F, define, queue

RUNS = (350440, 350479, 350531)


def by_hand(pairs: list[tuple[bool, bool]]) -> float | None:
    """Cohen's kappa from a list of (one says bad, other says bad)."""
    if not pairs:
        return None
    same = sum(one == other for one, other in pairs) / len(pairs)
    one = sum(one for one, _ in pairs) / len(pairs)
    other = sum(other for _, other in pairs) / len(pairs)
    chance = one * other + (1 - one) * (1 - other)
    return None if chance == 1 else (same - chance) / (1 - chance)


@pytest.fixture
def history(lar: System, ada: User) -> dict[str, User]:
    """Random decisions by three experts over three runs, many of which others undid and decided otherwise."""
    define(lar)
    rng = random.Random(7)
    people = {"ada": ada, "eve": cast.make_expert("eve", lar), "fay": cast.make_expert("fay", lar)}
    for number in RUNS:
        findings = [F(f"{first}-{first + 6}", rng.choice(["bad", "unsure"]), NOISE) for first in range(3, 92, 9)]
        for item in queue(lar, *findings, number=number):
            for _ in range(rng.choice([1, 1, 2, 3])):
                last = Decision.objects.filter(item=item, undone_by=None).exclude(answer="undo").first()
                person = people[rng.choice(sorted(people))]
                if last is not None:
                    undo(actor=person, decision=last)
                first = item.lumisections.first or 0
                where = rng.choice([None, f"{first}-{first + 2}", f"{first + 1}-{first + 8}"])
                defect = rng.choice(["", "", CORRUPT])
                decide(actor=person, item=item, verdict=rng.choice(["confirm", "override"]), lumisections=where,
                       defect=defect)  # fmt: skip
    return people


def words_by_hand() -> dict[tuple[int, int], dict[str, bool]]:
    """(run, lumisection) -> expert -> whether they called it bad, of what they did not take back themselves."""
    found: dict[tuple[int, int], dict[str, bool]] = {}
    for row in Decision.objects.exclude(answer="undo").order_by("id").select_related("item__run"):
        taken_back = Decision.objects.filter(undoes=row, by=row.by).exists()
        if taken_back:
            continue
        for sets, is_bad in ((row.good, False), (row.bad, True)):
            for number in sets.numbers():
                found.setdefault((row.item.run.number, number), {})[row.by_name] = is_bad
    return found


def test_experts_are_compared_lumisection_by_lumisection(history: dict[str, User], lar: System) -> None:
    found = agreement_of(lar)
    everything: list[tuple[bool, bool]] = []
    for one, other, table in found.pairs:
        pairs = [(said[one], said[other]) for said in words_by_hand().values() if one in said and other in said]
        assert {key: count for key, count in table.counts.items() if count} == {
            key: pairs.count(key) for key in set(pairs)
        }
        assert table.kappa == pytest.approx(by_hand(pairs))
        assert table.total_inv_nb == pytest.approx(100.0 * len(pairs))
        everything += pairs
    assert len(found.pairs) == 3
    assert found.experts.total == len(everything) > 50
    assert found.experts.kappa == pytest.approx(by_hand(everything))


def test_the_machine_is_compared_lumisection_by_lumisection(history: dict[str, User], lar: System) -> None:
    said: dict[tuple[int, int], tuple[Item, bool]] = {}
    for row in (
        Decision.objects.exclude(answer="undo").filter(undone_by=None).order_by("id").select_related("item__run")
    ):
        for sets, is_bad in ((row.good, False), (row.bad, True)):
            said |= {(row.item.run.number, number): (row.item, is_bad) for number in sets.numbers()}
    pairs = [
        (number in item.scoring.bad, is_bad)
        for (_, number), (item, is_bad) in said.items()
        if number in item.scoring.bad or number in item.scoring.good
    ]
    found = agreement_of(lar)
    assert found.decided == len(said)
    assert found.decided_inv_nb == pytest.approx(100.0 * len(said))
    assert found.machine.counts == {key: pairs.count(key) for key in set(pairs)}
    assert found.machine.kappa == pytest.approx(by_hand(pairs))
    assert found.blind.total == 0


def test_labels_hold_each_lumisection_once_with_the_last_word(history: dict[str, User], lar: System) -> None:
    seen: dict[int, LumiSet] = {}
    for label in labels_of(lar):
        before = seen.get(label.run.number, LumiSet())
        assert not (before & label.lumisections)
        seen[label.run.number] = before | label.lumisections
        assert label.is_bad == bool(label.defects)
    assert list(labels_of(lar, runs=[RUNS[0]])) == [label for label in labels_of(lar) if label.run.number == RUNS[0]]


def test_kappa_is_silent_where_nothing_is_open_to_chance() -> None:
    table = Table()
    assert table.kappa is None
    table.add(False, False, LumiSet.parse("1-9"), Profile.unknown())
    assert (table.kappa, table.share) == (None, 1.0)
