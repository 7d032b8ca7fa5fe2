"""What can be wrong with an act on the queue, as types; REST and pages say it in their own shape."""

from __future__ import annotations

from datetime import datetime

from certifier.audit.errors import CertifierError, Conflict, NotFound


class ItemNotFound(NotFound):
    """There is no item of that number."""

    def __init__(self, item: object) -> None:
        super().__init__(f"There is no review item {item}. What waits is listed at review-items/.")


class DecisionNotFound(NotFound):
    """There is no decision of that number."""

    def __init__(self, decision: object) -> None:
        super().__init__(f"There is no decision {decision}.")


class ItemSuperseded(Conflict):
    """Newer evidence took the item's place, so what was seen is no longer what is asked."""

    def __init__(self, item: object, newer: object = None) -> None:
        instead = f"Look at item {newer} instead." if newer else "Nothing of it waits any more; take the next item."
        super().__init__(f"The evidence of item {item} was replaced by a newer scoring. Nothing was decided. {instead}")


class AlreadyDecided(Conflict):
    """Somebody decided it meanwhile."""

    def __init__(self, item: object, by: str) -> None:
        super().__init__(f"{by} decided item {item} already. Undo that decision first if it is wrong.")


class HeldByOther(Conflict):
    """Somebody else looks at it right now."""

    def __init__(self, item: object, by: str, until: datetime) -> None:
        super().__init__(
            f"{by} holds item {item} until {until:%H:%M} UTC. Take another one, or take it over and say why."
        )


class ClaimLost(Conflict):
    """The lease ended, or somebody took the item over."""

    def __init__(self, item: object) -> None:
        super().__init__(f"You no longer hold item {item}. Open it again to go on.")


class DecisionRefused(CertifierError):
    """The decision makes no sense as it was sent; the message says what to send instead."""


class AlreadyUndone(Conflict):
    """What is to be undone does not hold any more."""


class BulkChanged(Conflict):
    """Something changed between the preview and the confirmation, so nothing was decided; `changes` says what."""

    def __init__(self, changes: list[str]) -> None:
        super().__init__(f"Nothing was decided: {' '.join(changes)} Look at the preview again.")
        self.changes = changes
