"""What happened, in words: of one event, of several that were joined, and where one looks at it."""

from __future__ import annotations

from typing import Final

from django.conf import settings

from .models import Event, Kind

# What joins while it is unread. Everything else stands alone.
JOINED: Final = (Kind.ITEMS, Kind.JOB, Kind.MY_JOB)


def findings(count: int, system: str) -> str:
    """Those that came. How many of them wait now, the queue knows: others may have decided some."""
    return f"{count} new finding{'s' if count != 1 else ''} of {system}"


def subject_of(event: Event) -> str:
    """What joined events have in common, in a word: the system of findings, the work of jobs."""
    return str(event.data.get("system" if event.kind == Kind.ITEMS else "kind") or "")


def topic_of(kind: str, event: Event) -> str:
    """Notices of one topic are joined as long as they are unread."""
    return f"{kind}:{subject_of(event) if kind in JOINED else f'event {event.pk}'}"


def title_of(kind: str, count: int, subject: str, title: str) -> str:
    """The title of `count` things of which the newest alone is called `title`."""
    if kind == Kind.ITEMS:
        return findings(count, subject)
    if kind in JOINED and count > 1:
        return f"{count} jobs {subject} {'of yours ' if kind == Kind.MY_JOB else ''}failed"
    return title


def address(path: str) -> str:
    """A path of this site as others reach it."""
    return settings.SITE_URL.rstrip("/") + path
