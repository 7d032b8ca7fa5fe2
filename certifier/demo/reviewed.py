"""What the demo's experts have decided so far: the queue of the earlier runs is done, that of the latest waits for you.

They look as experts would, at what the histograms show: the simulator drew them with the faults that are recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from certifier.accounts.models import User
from certifier.defects.selectors import run_defects
from certifier.lumi import LumiSet
from certifier.review import claims
from certifier.review.deciding import decide, undo
from certifier.review.intake import find_items
from certifier.review.models import Decision, Item, ItemState

from . import people, trained, world

# What of a system's faults can be seen in its histograms.
VISIBLE: Final = {"LAR": (trained.CORRUPT, trained.NOISE), "PIXEL": (trained.OFF,)}
# One item is left to others.
SKIPPED: Final = "A pattern I have not seen: somebody who was on shift should look."


def review_findings() -> None:
    """Bring the queue up to what the models say, and let the experts work through the earlier runs. Once."""
    find_items()
    if Decision.objects.exists():
        return
    chi = User.objects.get(username=people.COORDINATOR)
    waiting = list(
        Item.objects.filter(state=ItemState.OPEN, system__code="LAR", run__number__lt=world.SHOWCASE)
        .select_related("run", "system")
        .order_by("run__number", "pk")
    )
    if not waiting:
        return
    expert = User.objects.get(username=people.EXPERT_OF["LAR"])
    *looked_at, last = waiting
    for place, item in enumerate(looked_at):
        _look(chi if place % 5 == 4 else expert, item)
    claims.skip(actor=expert, item=last, reason=SKIPPED)
    _think_again(chi, Decision.objects.filter(by=expert).exclude(bad="").order_by("id"))


def _look(actor: User, item: Item) -> None:
    """Bad where a fault is recorded that can be seen, fine elsewhere."""
    found = {
        defect.defect: defect.present & item.lumisections
        for defect in run_defects(item.run, systems=[item.system.code]).defects
        if defect.defect in VISIBLE[item.system.code] and defect.present & item.lumisections
    }
    if not found:
        decide(actor=actor, item=item, verdict="override")
        return
    bad = LumiSet()
    for lumisections in found.values():
        bad |= lumisections
    # One of the faults is named, that with the most lumisections: a decision is about one stretch.
    name = max(found, key=lambda defect: len(found[defect]))
    decide(actor=actor, item=item, verdict="confirm", lumisections=bad, defect=name)


def _think_again(coordinator: User, decisions: Iterable[Decision]) -> None:
    """One decision is taken back by somebody else, and made otherwise: so people disagree now and then."""
    first = next(iter(decisions), None)
    if first is None:
        return
    undo(actor=coordinator, decision=first, reason="One cell in one lumisection; the cluster removes it.")
    decide(actor=coordinator, item=first.item, verdict="override", comment="Below what physics can see.")
