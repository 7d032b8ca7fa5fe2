"""A system in auto whose audit is answered run after run: every automatic verdict is sent (the share is 1)."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from certifier.accounts.models import System, User
from certifier.precert import services as precert
from certifier.precert.models import Mode, ModelVersion
from certifier.review.deciding import decide
from certifier.review.intake import find_items
from certifier.review.models import Item, ItemState
from tests.review.queue_world import NOISE, F, define, score, take

LAST, FIRST_RUN = 20, 350001


def side(name: str, limit: float = 0.05, confidence: float = 0.95) -> dict[str, Any]:
    return {
        "side": name, "limit": limit, "confidence": confidence, "threshold": 0.1, "bound": limit * 0.9,
        "observed": limit / 10, "lumisections": 900, "n_effective": 90.0, "design_effect": 10.0, "needed": 59,
        "refusal": "",
    }  # fmt: skip


def promising(system: System, number: int = 1, **sides: float) -> ModelVersion:
    """A champion that promises these limits; its files are opened by no test."""
    promised = {name: side(name, limit) for name, limit in (sides or {"pollution": 0.05, "loss": 0.05}).items()}
    part = {
        "stratum": "", "lumisections": 1000, "bad": 50, "runs": 40, "automatic": 0.9, "t_good": 0.1, "t_bad": 0.9,
        **promised,
    }  # fmt: skip
    version = ModelVersion.objects.create(
        system=system, number=number, digest=f"{system.pk}:{number}", kind="tests", manifest={"files": {}},
        guarantee={"parts": [part]}, by_name="tests", at=timezone.now(),
    )  # fmt: skip
    precert.promote(actor=None, version=version, reason="of a test")
    return version


def automatic(system: System, chi: User, **sides: float) -> ModelVersion:
    define(system)
    version = promising(system, 1, **sides)
    precert.set_mode(actor=chi, system=system, mode=Mode.AUTO, reason="It promises enough.")
    return version


def audited(version: ModelVersion, number: int, *findings: F) -> list[Item]:
    """A run that was scored, and its open items."""
    score(version, take(number, LAST), *findings)
    find_items()
    return list(Item.objects.filter(run__number=number, state=ItemState.OPEN).order_by("pk"))


def answer(items: list[Item], expert: User, *, bad: str = "") -> None:
    """What an expert says of each item: fine but for the lumisections `bad`."""
    for item in items:
        wrong = item.lumisections & type(item.lumisections).parse(bad)
        if wrong:
            decide(actor=expert, item=item, verdict="confirm", lumisections=wrong, defect=NOISE)
        else:
            decide(actor=expert, item=item, verdict="override")
