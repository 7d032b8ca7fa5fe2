"""What leaves the house: written by the sweep, sent by a worker, tried again when it did not arrive.

A delivery is claimed before it is sent and ended after; a worker that dies in between leaves a claim that runs out,
and the delivery is sent again under the same id. So it arrives at least once, and can be told when it comes twice.
"""

from __future__ import annotations

import http.client
import logging
import smtplib
import uuid
from datetime import timedelta
from typing import Any, Final

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.unit import unit_of_work
from certifier.ops import jobs
from certifier.ops.jobs import JobHandle
from certifier.ops.models import Trigger

from . import digest, posting
from .errors import AddressRefused, NotToBeSent, SecretUnreadable
from .models import Delivery, DeliveryState, Event, Webhook
from .sealing import unseal
from .wanting import reader_of
from .words import address

logger = logging.getLogger(__name__)

KIND: Final = "notices.deliver"
# After each failure; after the last it is given up: a day and a half in all.
WAITS: Final = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 4 * 60, 10 * 60, 20 * 60))
# Longer than sending one can take.
CLAIM_FOR: Final = timedelta(minutes=5)
AT_ONCE: Final = 200
FAILURES: Final = (
    *(OSError, http.client.HTTPException, smtplib.SMTPException, posting.NotTaken),
    *(AddressRefused, SecretUnreadable),
)


class Undeliverable(Exception):
    """It will never arrive; the message says why. Not tried again."""


# --- writing ------------------------------------------------------------------------------------------------


def post_event(webhook: Webhook, event: Event) -> int:
    """Write down that a webhook is told of an event, if it wants to be; how many were written. `systems` are read."""
    if webhook.kinds and event.kind not in webhook.kinds:
        return 0
    systems = {system.pk for system in webhook.systems.all()}
    # What is of no system (a list) concerns all of them.
    if systems and event.system_id is not None and event.system_id not in systems:
        return 0
    uid = uuid.uuid4()
    content = {
        "id": str(uid),
        "test": False,
        "kind": event.kind,
        "system": event.system.code if event.system else None,
        "title": event.title,
        "text": event.text,
        "url": address(event.path),
        "by": event.by_name,
        "at": event.at.isoformat(),
        "data": event.data,
    }
    now = timezone.now()
    Delivery.objects.create(uid=uid, webhook=webhook, event=event, content=content, next_at=now, at=now)
    return 1


def send_test(*, actor: User, webhook: Webhook) -> Delivery:
    """A message that says it is a test, sent as any other is. Coordinators."""
    now, uid = timezone.now(), uuid.uuid4()
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_manage_webhooks(actor))
        if not webhook.is_active:
            raise NotToBeSent(f"The webhook {webhook.name} is switched off. Switch it on first.")
        content = {
            "id": str(uid),
            "test": True,
            "kind": "test",
            "system": None,
            "title": f"A test of the webhook {webhook.name}",
            "text": f"{actor.get_username()} asked for it.",
            "url": address("/notices/webhooks/"),
            "by": actor.get_username(),
            "at": now.isoformat(),
            "data": {},
        }
        delivery = Delivery.objects.create(uid=uid, webhook=webhook, content=content, next_at=now, at=now)
        unit.audit("notices.test_webhook", f"webhook {webhook.name}", {"delivery": str(uid)})
        start(actor)
    return delivery


def send_again(*, actor: User, delivery: Delivery) -> None:
    """Try what was given up, or waits, once more now, under its old id. Coordinators. NotToBeSent when it arrived."""
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_manage_webhooks(actor))
        if delivery.webhook is not None and not delivery.webhook.is_active:
            raise NotToBeSent(f"The webhook {delivery.webhook.name} is switched off. Switch it on first.")
        changed = (
            Delivery.objects.filter(pk=delivery.pk)
            .exclude(state=DeliveryState.SENT)
            .filter(_unclaimed())
            .update(state=DeliveryState.WAITING, next_at=timezone.now(), ended_at=None)
        )
        if not changed:
            raise NotToBeSent("It arrived already, or is being sent in this moment.")
        unit.audit("notices.send_again", f"delivery {delivery.uid}")
        start(actor)


def start(actor: User | None = None, trigger: Trigger = Trigger.PERSON) -> None:
    jobs.start(KIND, key=KIND, actor=actor, trigger=trigger)


# --- sending ------------------------------------------------------------------------------------------------


def _unclaimed() -> Q:
    return Q(claimed_until=None) | Q(claimed_until__lt=timezone.now())


def due() -> QuerySet[Delivery]:
    """What waits, whose time has come, and that no living worker sends now."""
    return Delivery.objects.filter(_unclaimed(), state=DeliveryState.WAITING, next_at__lte=timezone.now()).order_by(
        "next_at", "pk"
    )


def deliver(job: JobHandle | None = None) -> dict[str, int]:
    """Send what is due. A webhook that fails is left alone until the next time, so that it holds up nobody else."""
    counts = {"sent": 0, "failed": 0, "given up": 0}
    failed: set[int] = set()
    waiting = list(due().values_list("pk", "webhook")[:AT_ONCE])
    for number, (pk, webhook) in enumerate(waiting):
        if job is not None:
            job.progress(number / len(waiting), f"message {number + 1} of {len(waiting)}")
        if webhook in failed:
            continue
        outcome = _deliver_one(pk)
        if outcome == "failed" and webhook is not None:
            failed.add(webhook)
        if outcome:
            counts[outcome] += 1
    return counts


def _claim(pk: int) -> Delivery | None:
    until = timezone.now() + CLAIM_FOR
    if not due().filter(pk=pk).order_by().update(claimed_until=until, attempts=F("attempts") + 1):
        return None
    return Delivery.objects.select_related("person", "webhook").get(pk=pk)


def _deliver_one(pk: int) -> str:
    """How it went; empty when another worker has it."""
    delivery = _claim(pk)
    if delivery is None:
        return ""
    try:
        _send(delivery)
    except Undeliverable as why:
        _end(delivery, state=DeliveryState.GIVEN_UP, ended_at=timezone.now(), last_error=str(why))
        return "given up"
    except FAILURES as error:
        return _try_later(delivery, _in_words(error))
    _end(delivery, state=DeliveryState.SENT, ended_at=timezone.now(), last_error="")
    return "sent"


def _send(delivery: Delivery) -> None:
    if delivery.webhook is not None:
        if not delivery.webhook.is_active:
            raise Undeliverable("The webhook was switched off before.")
        secret = unseal(delivery.webhook.sealed_secret)
        posting.post(delivery.webhook.url, secret, str(delivery.uid), delivery.content)
        return
    person = delivery.person
    if person is None or reader_of(person) is None:
        raise Undeliverable("The person may read nothing any more.")
    if not person.email:
        raise Undeliverable("The account has no address any more.")
    if not digest.sends_mail():
        raise Undeliverable("This installation sends no mail: set EMAIL_URL.")
    digest.send(delivery, person)


def _in_words(error: Exception) -> str:
    told = error.strerror if isinstance(error, OSError) and isinstance(error.strerror, str) else str(error)
    return told or type(error).__name__


def _try_later(delivery: Delivery, why: str) -> str:
    logger.warning("delivery %s, attempt %d: %s", delivery.uid, delivery.attempts, why)
    # Asked for by hand it may be beyond its last wait.
    if delivery.attempts > len(WAITS):
        _end(delivery, state=DeliveryState.GIVEN_UP, ended_at=timezone.now(), last_error=why[:2000])
        return "given up"
    _end(delivery, next_at=timezone.now() + WAITS[delivery.attempts - 1], last_error=why[:2000])
    return "failed"


def _end(delivery: Delivery, **fields: Any) -> None:
    """As long as this attempt is the one that counts: a worker that slept through its claim says nothing any more,
    but that it arrived stays true."""
    rows = Delivery.objects.filter(pk=delivery.pk)
    if fields.get("state") != DeliveryState.SENT:
        rows = rows.filter(attempts=delivery.attempts, state=DeliveryState.WAITING)
    rows.update(claimed_until=None, **fields)
