"""What the demo's experts have decided so far: the queue of the earlier runs is done, most of the latest waits for you.

They look as experts would, at what the histograms show: the simulator drew them, so it is known what there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from certifier.accounts.models import User
from certifier.lumi import LumiSet
from certifier.review import claims
from certifier.review.deciding import decide, undo
from certifier.review.intake import find_items
from certifier.review.models import Decision, Item, ItemState
from certifier.watch.services import check, due

from . import histograms, people, world
from .months import CORRUPT

NOISE: Final = "LAR_EMECA_NOISEBURST"
# What there is to be seen, lumisection by lumisection: the histograms of the other runs are drawn without a fault.
FAULTS: Final = {
    CORRUPT: histograms.CORRUPT | histograms.EDGES | histograms.DIP,
    NOISE: histograms.NOISE,
}
# The most striking stretch waits for whoever opens the queue, and of its run every second item.
STRIKING: Final = histograms.CORRUPT
# One item is left to others.
SKIPPED: Final = "A pattern I have not seen: somebody who was on shift should look."


def review_findings() -> None:
    """Bring the queue up to what the models say, and let the experts work through the earlier runs. Once."""
    find_items()
    here = Decision.objects.filter(item__run__number__gte=world.FIRST_RUN)
    if here.exists():
        return
    chi = User.objects.get(username=people.COORDINATOR)
    between = (world.FIRST_RUN, world.SHOWCASE)
    rows = Item.objects.filter(state=ItemState.OPEN, system__code="LAR", run__number__range=between)
    earlier: list[Item] = []
    latest: list[Item] = []
    for item in rows.select_related("run", "system").order_by("run__number", "pk"):
        (latest if item.run.number == world.SHOWCASE else earlier).append(item)
    waiting = earlier + [item for item in latest if not item.lumisections & STRIKING][::2]
    if not waiting:
        return
    expert = User.objects.get(username=people.EXPERT_OF["LAR"])
    *looked_at, last = waiting
    for place, item in enumerate(looked_at):
        _look(chi if place % 5 == 4 else expert, item)
    claims.skip(actor=expert, item=last, reason=SKIPPED)
    _think_again(chi, here.filter(by=expert).exclude(bad="").order_by("id"))


def look_at_guarantees() -> None:
    """What the answers prove, as it is looked at within a minute wherever the program runs. Once."""
    for system in due():
        check(system)


def _look(actor: User, item: Item) -> None:
    """Bad where there is a fault to be seen, fine elsewhere."""
    faults = FAULTS if item.run.number == world.SHOWCASE else {}
    found = {name: where & item.lumisections for name, where in faults.items() if where & item.lumisections}
    if not found:
        decide(actor=actor, item=item, verdict="override")
        return
    bad = LumiSet()
    for lumisections in found.values():
        bad |= lumisections
    # The fault with the most lumisections is named: a decision is about one stretch.
    name = max(found, key=lambda defect: len(found[defect]))
    decide(actor=actor, item=item, verdict="confirm", lumisections=bad, defect=name)


def _think_again(coordinator: User, decisions: Iterable[Decision]) -> None:
    """One decision is taken back by somebody else, and made otherwise: so people disagree now and then."""
    first = next(iter(decisions), None)
    if first is None:
        return
    undo(actor=coordinator, decision=first, reason="One cell in one lumisection; the cluster removes it.")
    decide(actor=coordinator, item=first.item, verdict="override", comment="Below what physics can see.")
