"""What an entry that nobody has recorded yet would do to the current good-run list.

A list never changes. What changes is the next one that is built by the same rule.
"""

from __future__ import annotations

from dataclasses import dataclass

from certifier.defects.effects import Change
from certifier.lumi import LumiSet
from certifier.runs.profile import Profile

from .models import GoodRunList, GoodRunListRun, Origin


@dataclass(frozen=True)
class ListEffect:
    """`holds` are the lumisections of the run in the list; luminosities in inverse nanobarn, None where unknown."""

    list: GoodRunList
    holds: LumiSet
    loses: LumiSet
    gains: LumiSet
    holds_inv_nb: float | None
    loses_inv_nb: float | None
    gains_inv_nb: float | None


def effect_on_current_list(change: Change, profile: Profile) -> ListEffect | None:
    """None when no list was built, or none of what it requires is defined any more. Two queries.

    What the next list would lose are lumisections that the current one holds; what it would gain are others, where all
    that it requires becomes absent. Whether their systems are signed is not looked at.
    """
    current = GoodRunList.objects.filter(origin=Origin.BUILT).order_by("-id").first()
    if current is None:
        return None
    known = change.logic.definitions
    required = [meaning.name for name in current.require if (meaning := known.find(name)) and meaning.is_virtual]
    if not required:
        return None
    ignored = [meaning.name for name in current.ignore if (meaning := known.find(name))]
    row = GoodRunListRun.objects.filter(list=current, run_number=change.run.number).first()
    holds = row.lumisections if row else LumiSet()
    before, after = change.present(required, ignored)
    loses, gains = (after - before) & holds, (before - after) - holds
    return ListEffect(current, holds, loses, gains, *(_recorded(profile, one) for one in (holds, loses, gains)))


def _recorded(profile: Profile, lumisections: LumiSet) -> float | None:
    value, known = profile.sum("recorded_inv_nb", lumisections)
    return value if known or not lumisections else None
