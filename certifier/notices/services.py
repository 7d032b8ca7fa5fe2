"""Telling people what is new, and what they do about it: read it, and choose what they are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db.models import F
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.unit import unit_of_work

from . import digest
from .errors import NoticesMissing, PreferenceRefused
from .happenings import events_of_feed, events_of_jobs, tail_of_feed, untold_failures
from .models import Channel, Event, Kind, Notice, Preference, Watermark, Webhook
from .outbox import post_event
from .wanting import Reader, reader_of, readers
from .words import JOINED, topic_of

# --- telling ------------------------------------------------------------------------------------------------


def find(*, actor: User | None = None) -> dict[str, int]:
    """Tell everybody what happened since the last look: notices, and messages that wait to be sent.

    Harmless to repeat, and to do twice at once: what was read, what is told of it and how far it was read are written
    in one transaction, under the lock of the watermark. Nothing is sent here. The installation itself.
    """
    permissions.require(permissions.can_manage_jobs(actor))
    counts = {"events": 0, "notices": 0, "messages": 0}
    while _find_some(actor, counts):
        pass
    return counts


def _find_some(actor: User | None, counts: dict[str, int]) -> bool:
    """One transaction; whether there may be more."""
    mark = Watermark.objects.filter(pk=1).first()
    if mark is not None and mark.sequence >= tail_of_feed() and not untold_failures(mark).exists():
        return False
    with unit_of_work(actor) as unit:
        # The migration made the row; a database that was emptied has neither the row nor a past.
        Watermark.objects.get_or_create(pk=1)
        mark = Watermark.objects.select_for_update(no_key=True).get(pk=1)
        tail = tail_of_feed()
        events, upto = events_of_feed(mark, tail)
        failures = list(events_of_jobs(mark))
        events += failures
        if events:
            told = _tell(events)
            unit.audit("notices.find", "notices", {"events": len(events), **told})
            counts["events"] += len(events)
            for what, count in told.items():
                counts[what] += count
        Watermark.objects.filter(pk=1).update(sequence=max(upto, mark.sequence))
    return upto < tail or bool(failures)


def _tell(events: Sequence[Event]) -> dict[str, int]:
    told = {"notices": 0, "messages": 0}
    everybody = readers()
    webhooks = list(Webhook.objects.filter(is_active=True).prefetch_related("systems"))
    notices: dict[tuple[int, str], Notice] = {}
    lines: dict[int, list[digest.Line]] = {}
    for event in events:
        event.save(force_insert=True)
        posted = {webhook for webhook in webhooks if webhook.person_id is None}
        for reader in everybody:
            channels = reader.told(event)
            if Channel.PAGE in channels:
                _collect(notices, reader, channels[Channel.PAGE], event)
                told["notices"] += 1
            if Channel.MAIL in channels and reader.person.email and digest.sends_mail():
                lines.setdefault(reader.person.pk, []).append(digest.line_of(channels[Channel.MAIL], event))
            if Channel.WEBHOOK in channels:
                posted |= {webhook for webhook in webhooks if webhook.person_id == reader.person.pk}
        told["messages"] += sum(post_event(webhook, event) for webhook in sorted(posted, key=lambda each: each.pk))
    _put_notices(notices.values())
    for person, written in lines.items():
        digest.put(person, written)
        told["messages"] += 1
    return told


def _collect(notices: dict[tuple[int, str], Notice], reader: Reader, kind: Kind, event: Event) -> None:
    """Join what is new of one topic first: a night of findings is one row for each expert, not one per run."""
    topic = topic_of(kind, event)
    notice = notices.setdefault(
        (reader.person.pk, topic),
        Notice(person=reader.person, kind=kind, topic=topic, system=event.system, count=0, since=event.at),
    )
    notice.event, notice.at = event, event.at
    notice.count += event.count


def _put_notices(notices: Iterable[Notice]) -> None:
    """Each joins what is unread of its topic, or stands for itself."""
    fresh = []
    for notice in notices:
        unread = Notice.objects.of(notice.person).unread().filter(topic=notice.topic)
        # What stands alone has a topic of its own, of which nothing can be there.
        joined = notice.kind in JOINED and unread.update(
            event=notice.event, at=notice.at, count=F("count") + notice.count
        )
        if not joined:
            fresh.append(notice)
    Notice.objects.bulk_create(fresh)


# --- what people do about it --------------------------------------------------------------------------------


def mark_read(*, actor: User, ids: Iterable[int] | None = None, kind: str = "", up_to: int | None = None) -> int:
    """Notices of the person are read: these, or all (of a kind). Returns how many became so.

    `up_to` is the newest event the person has seen: what joined since then stays unread. Raises NoticesMissing, and
    marks nothing, where one of `ids` is not the person's own.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_view(actor))
        rows = Notice.objects.of(actor)
        if ids is not None:
            wanted = set(ids)
            rows = rows.filter(pk__in=wanted)
            missing = sorted(wanted - set(rows.values_list("pk", flat=True)))
            if missing:
                raise NoticesMissing(f"You have no notice {', '.join(map(str, missing[:5]))}.", field="ids")
        if kind:
            rows = rows.filter(kind=kind)
        if up_to is not None:
            rows = rows.filter(event__lte=up_to)
        count = rows.unread().update(read_at=timezone.now())
        if count:
            unit.audit("notices.read", f"notices of {actor.get_username()}", {"read": count})
    return count


def set_preferences(*, actor: User, wanted: Mapping[tuple[str, str], bool]) -> dict[tuple[str, str], bool]:
    """Choose what one is told of oneself, by (kind, channel). What is as the roles say it is kept as no choice, and
    follows the roles when they change. Returns what changed.
    """
    for kind, channel in wanted:
        if kind not in Kind.values or channel not in Channel.values:
            raise PreferenceRefused(f"There is no kind “{kind[:40]}” with a channel “{channel[:40]}”.")
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_view(actor))
        reader = reader_of(actor)
        if reader is None:  # the roles went away a moment ago
            permissions.require(permissions.Verdict(False, "You have no role. Ask an administrator."))
            return {}
        changed = {cell: want for cell, want in wanted.items() if reader.wants(*cell) != want}
        for (kind, channel), want in changed.items():
            rows = Preference.objects.filter(person=actor, kind=kind, channel=channel)
            if want == reader.by_default(kind, channel):
                rows.delete()
            else:
                Preference.objects.update_or_create(
                    person=actor, kind=kind, channel=channel, defaults={"is_wanted": want}
                )
        if changed:
            data = {f"{kind} {channel}": want for (kind, channel), want in changed.items()}
            unit.audit("notices.set_preferences", f"notices of {actor.get_username()}", data)
    return changed
