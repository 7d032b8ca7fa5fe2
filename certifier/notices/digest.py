"""Mails: one for each person and sweep, with a line for everything that is new, joined where it is of one topic."""

from __future__ import annotations

from typing import Any, Final, TypedDict, cast

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db.models import Max
from django.utils import timezone

from certifier.accounts.models import User

from .models import Delivery, DeliveryState, Event, Kind
from .words import address, subject_of, title_of, topic_of

# SMTP has no limit of its own: a server that says nothing would hold the worker.
TIME_LIMIT_S: Final = 20
NO_MAIL_BACKEND: Final = "django.core.mail.backends.dummy.EmailBackend"


def sends_mail() -> bool:
    """An installation without EMAIL_URL throws mail away, so none is written."""
    return settings.EMAIL_BACKEND != NO_MAIL_BACKEND


class Line(TypedDict):
    """One topic in a mail; `title` is that of its newest event."""

    topic: str
    kind: str
    count: int
    subject: str
    title: str
    text: str
    path: str
    at: str


def line_of(kind: Kind, event: Event) -> Line:
    return Line(
        topic=topic_of(kind, event),
        kind=kind,
        count=event.count,
        subject=subject_of(event),
        title=event.title,
        text=event.text,
        path=event.path,
        at=f"{event.at:%Y-%m-%d %H:%M} UTC",
    )


def merged(lines: list[Line], new: list[Line]) -> list[Line]:
    """The lines with the new ones; of one topic there is one, which counts."""
    by_topic = {line["topic"]: line for line in lines}
    for line in new:
        before = by_topic.get(line["topic"])
        by_topic[line["topic"]] = (
            line if before is None else cast("Line", {**line, "count": before["count"] + line["count"]})
        )
    return list(by_topic.values())


def put(person: int, lines: list[Line]) -> None:
    """Into the mail of the person that nobody has tried to send, or into a new one.

    While the mail server is away, one mail is tried again and one grows: nobody gets a hundred when it comes back.
    """
    now = timezone.now()
    waiting = Delivery.objects.filter(person=person, state=DeliveryState.WAITING)
    growing = waiting.filter(attempts=0, claimed_until=None).select_for_update().first()
    if growing is not None:
        growing.content = {"lines": merged(growing.content["lines"], lines)}
        growing.save(update_fields=["content"])
        return
    tried = waiting.aggregate(next_at=Max("next_at"))["next_at"]
    Delivery.objects.create(
        person_id=person, content={"lines": merged([], lines)}, next_at=max(now, tried or now), at=now
    )


def send(delivery: Delivery, person: User) -> None:
    """Raises what Django's mail raises."""
    lines: list[Line] = delivery.content["lines"]
    titles = [title_of(line["kind"], line["count"], line["subject"], line["title"]) for line in lines]
    subject = titles[0] if len(titles) == 1 else f"{titles[0]}, and {len(titles) - 1} more"
    body = "\n\n".join(_paragraph(title, line) for title, line in zip(titles, lines, strict=True))
    settings_at = address("/notices/settings/")
    message = EmailMessage(
        subject=f"[Certifier] {subject}",
        body=f"{body}\n\n-- \nWhat you are told, and where: {settings_at}\n",
        to=[person.email],
        # The same at every attempt: a mail program shows a repeated one once.
        headers={"Message-ID": f"<{delivery.uid}@certifier>", "Auto-Submitted": "auto-generated"},
        connection=get_connection(timeout=TIME_LIMIT_S),
    )
    message.send()


def _paragraph(title: str, line: Line) -> str:
    parts: list[Any] = [f"{title} ({line['at']})", line["text"], address(line["path"])]
    return "\n".join(part for part in parts if part)
