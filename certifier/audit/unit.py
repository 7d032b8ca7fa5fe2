"""The one write path: permission, change, audit event and feed in one transaction.

    def create_tag(*, actor, name):
        with unit_of_work(actor) as unit:
            permissions.require(actor, permissions.can_tag(actor))
            tag = Tag.objects.create(...)
            unit.audit("defects.create_tag", f"tag {name}", {"entry": tag.entry_id})
        return tag

Units nest: a service that calls another joins the unit that is open, and everything commits or nothing does.
What must come last in a transaction (the change feed takes a lock that orders commits) is handed to
`before_commit` and runs when the outermost unit ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from .models import AuditEvent
from .request_id import current_request_id

SYSTEM = "system"


class Unit:
    def __init__(self, actor: AbstractBaseUser | None) -> None:
        self.actor = actor
        self.actor_name = actor.get_username() if actor else SYSTEM
        self._events: list[AuditEvent] = []
        self._last: dict[str, tuple[Callable[[list[Any]], None], list[Any]]] = {}

    def audit(self, code: str, subject: str, data: dict[str, Any] | None = None) -> None:
        self._events.append(
            AuditEvent(
                actor=self.actor,  # type: ignore[misc]  # the project's own User, which this room must not import
                actor_name=self.actor_name,
                code=code,
                subject=subject[:200],
                data=data or {},
                request_id=current_request_id(),
            )
        )

    def before_commit(self, key: str, write: Callable[[list[Any]], None], item: Any) -> None:
        """Collect `item`; `write` gets all items of `key` at once as the last statements before the
        commit."""
        self._last.setdefault(key, (write, []))[1].append(item)

    def _finish(self) -> None:
        AuditEvent.objects.bulk_create(self._events)
        for write, items in self._last.values():
            write(items)


_open: ContextVar[Unit | None] = ContextVar("unit_of_work", default=None)


@contextmanager
def unit_of_work(actor: AbstractBaseUser | None) -> Iterator[Unit]:
    """A transaction with an audit trail. `actor` None means the system itself (a periodic task)."""
    outer = _open.get()
    if outer is not None:
        # An inner failure that a caller survives must take its own rows and events with it.
        events, last = len(outer._events), {key: len(items) for key, (_, items) in outer._last.items()}
        before = (outer.actor, outer.actor_name)
        outer.actor, outer.actor_name = actor, actor.get_username() if actor else SYSTEM
        try:
            with transaction.atomic():
                yield outer
        except BaseException:
            del outer._events[events:]
            for key, (_, items) in outer._last.items():
                del items[last.get(key, 0) :]
            raise
        finally:
            outer.actor, outer.actor_name = before
        return
    unit = Unit(actor)
    token = _open.set(unit)
    try:
        with transaction.atomic():
            yield unit
            unit._finish()
    finally:
        _open.reset(token)
