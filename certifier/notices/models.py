"""What people and other programs are told: what happened, who is told on a page, what is sent, and how that went."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from certifier.accounts.models import System
from certifier.ops.models import Job


class Kind(models.TextChoices):
    ITEMS = "items", "new findings"
    STOPPED = "stopped", "automation stopped"
    JOB = "job", "job failed"
    MY_JOB = "my-job", "job of mine failed"
    LIST = "list", "list published"
    TRAINING = "training", "training ended"
    TREND = "trend", "trend left its band"


# What happens. That a job was somebody's own is true for that person only.
EVENT_KINDS = tuple(kind for kind in Kind if kind is not Kind.MY_JOB)


class Channel(models.TextChoices):
    PAGE = "page", "in the application"
    MAIL = "mail", "by e-mail"
    WEBHOOK = "webhook", "by webhook"

    @property
    def short(self) -> str:
        """For the head of a narrow column."""
        return {"page": "here", "mail": "e-mail"}.get(self.value, self.value)


class Watermark(models.Model):
    """One row: how far the change feed was read. Its row lock lets one sweep at a time tell what is new."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    sequence = models.BigIntegerField(default=0, help_text="the last change that was read")
    # What failed before is history. None: nothing is.
    since = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"change {self.sequence}"


class Event(models.Model):
    """Something that happened and that somebody may want to know. Written once by the sweep, never changed.

    `change` or `job` is where it was read: the same is never told twice.
    """

    kind = models.CharField(max_length=8, choices=[(kind.value, kind.label) for kind in EVENT_KINDS])
    system = models.ForeignKey(System, null=True, on_delete=models.PROTECT, related_name="+")
    change = models.BigIntegerField(null=True, unique=True, help_text="its sequence in the change feed")
    job = models.OneToOneField(Job, null=True, on_delete=models.PROTECT, related_name="+")
    count = models.PositiveIntegerField(default=1, help_text="how many findings; 1 of everything else")
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    path = models.CharField(max_length=300, help_text="where one looks at it")
    data = models.JSONField(default=dict)
    by_name = models.CharField(max_length=150, help_text="who did it")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(change__isnull=False, job__isnull=True) | Q(change__isnull=True, job__isnull=False),
                name="event_of_a_change_or_of_a_job",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class NoticeQuerySet(models.QuerySet["Notice"]):
    def of(self, person: Any) -> NoticeQuerySet:
        return self.filter(person=person)

    def unread(self) -> NoticeQuerySet:
        return self.filter(read_at=None)


class Notice(models.Model):
    """What one person is told in the application. As long as it is unread, what is of the same topic joins it."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=8, choices=Kind)
    topic = models.CharField(max_length=100, help_text="what joins: items:LAR, job:precert.score, or one event alone")
    system = models.ForeignKey(System, null=True, on_delete=models.PROTECT, related_name="+")
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="+", help_text="the newest of it")
    count = models.PositiveIntegerField(default=1)
    since = models.DateTimeField(help_text="when the first of it happened")
    at = models.DateTimeField(help_text="when the newest of it happened")
    read_at = models.DateTimeField(null=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["person", "topic"], condition=Q(read_at__isnull=True), name="one_unread_notice_per_topic"
            ),
        ]
        indexes = [models.Index(fields=["person", "read_at"])]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.title}"

    @property
    def title(self) -> str:
        from .words import subject_of, title_of

        return title_of(self.kind, self.count, subject_of(self.event), self.event.title)


class Preference(models.Model):
    """A person wants a kind on a channel, or does not. Without a row the person's roles say it: see `wanting`."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notice_preferences")
    kind = models.CharField(max_length=8, choices=Kind)
    channel = models.CharField(max_length=7, choices=Channel)
    is_wanted = models.BooleanField()

    class Meta:
        ordering = ["person", "kind", "channel"]
        constraints = [models.UniqueConstraint(fields=["person", "kind", "channel"], name="one_preference_of_a_kind")]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.kind} {self.channel} {'yes' if self.is_wanted else 'no'}"


class Webhook(models.Model):
    """An address of another program that is told. With a person it gets what that person wants by webhook."""

    name = models.CharField(max_length=80, unique=True)
    url = models.CharField(max_length=500)
    # Empty: all.
    kinds = models.JSONField(default=list, blank=True)
    systems = models.ManyToManyField(System, blank=True, related_name="+")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="webhooks"
    )
    # Encrypted, not hashed: every request is signed with it. See `sealing`.
    sealed_secret = models.CharField(max_length=400)
    is_active = models.BooleanField(default=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class DeliveryState(models.TextChoices):
    WAITING = "waiting", "waits"
    SENT = "sent", "sent"
    GIVEN_UP = "given-up", "given up"


class Delivery(models.Model):
    """One message that leaves the house: a mail to a person, or a request to a webhook. Kept with how it went.

    `uid` is the same at every attempt, so who received it twice can tell.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="deliveries")
    webhook = models.ForeignKey(Webhook, null=True, on_delete=models.PROTECT, related_name="deliveries")
    event = models.ForeignKey(Event, null=True, on_delete=models.PROTECT, related_name="+")
    # A mail: {"lines": […]}, see `digest`. A request: its JSON body.
    content = models.JSONField()
    state = models.CharField(max_length=8, choices=DeliveryState, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(help_text="not before")
    # A worker sends it now; when that time is over, the worker is dead.
    claimed_until = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
    at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event"], name="an_event_to_a_webhook_once"),
            models.CheckConstraint(
                condition=Q(person__isnull=False, webhook__isnull=True) | Q(person__isnull=True, webhook__isnull=False),
                name="to_a_person_or_to_a_webhook",
            ),
        ]
        indexes = [models.Index(fields=["state", "next_at"])]

    def __str__(self) -> str:
        return f"{self.uid} {self.state}"

    @property
    def is_test(self) -> bool:
        return bool(self.content.get("test"))
