"""The page a shift leaves to the next one: runs, what was said and signed, what is open, and notes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.db.models import Q, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.errors import CertifierError
from certifier.defects.models import Entry
from certifier.ops.models import Job, JobState
from certifier.review.models import Item, ItemState, ShiftNote, SignOff
from certifier.review.shift_notes import LONGEST_NOTE, write_note
from certifier.runs.models import Run

from .context import CountOf
from .waiting import states_of

HOURS = (8, 12, 24, 72)
MOST_LINES = 25
LATEST_RUNS = 20
MOST_NOTES, OLD_NOTES = 20, 3


class NoteForm(forms.Form):
    text = forms.CharField(
        label="for the next shift",
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="What they should know or do. It is kept and never changed.",
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """`?hours=8` looks that far back from now, or from `?until=` (a time in UTC)."""
    permissions.require(permissions.can_view(request.user))
    form = NoteForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            write_note(actor=cast("User", request.user), text=form.cleaned_data["text"])
        except CertifierError as refusal:
            form.add_error("text", refusal.message)
        else:
            messages.success(request, "Your note is kept for the next shift.")
            return redirect(request.get_full_path())
    if form.errors:
        status = 400
    until = _until(request.GET.get("until", ""))
    hours = next((each for each in HOURS if str(each) == request.GET.get("hours")), HOURS[0])
    context = {
        "form": form,
        "may_write": permissions.can_hand_over(request.user),
        "hours": hours,
        "choices": HOURS,
        "until": until,
        "now": "until" not in request.GET,
        "after": until + timedelta(hours=hours),
        **hand_over(until - timedelta(hours=hours), until),
    }
    return render(request, "web/hand_over.html", context, status=status)


def _until(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return timezone.now()
    return moment if moment.tzinfo else timezone.make_aware(moment)


def hand_over(begin: datetime, until: datetime) -> dict[str, Any]:
    """What happened from `begin` on, before `until`; what is open is what is open now."""
    meanwhile = Q(started_at__lt=until) & (Q(ended_at__gte=begin) | Q(ended_at=None))
    runs = list(Run.objects.filter(meanwhile).select_related("summary").defer("attributes").order_by("-number")[:50])
    entries = Entry.objects.filter(entered_at__gte=begin, entered_at__lt=until).select_related("run", "defect__system")
    acts = SignOff.objects.filter(at__gte=begin, at__lt=until).select_related("run", "system")
    failed = Job.objects.filter(
        state__in=[JobState.FAILED, JobState.LOST], finished_at__gte=begin, finished_at__lt=until
    )
    # What is one number costs no query of its own beside the systems.
    systems = list(
        System.objects.annotate(
            signed_before=Subquery(SignOff.objects.filter(at__lt=begin).order_by("-at").values("at")[:1]),
            to_review=CountOf(Item.objects.filter(state=ItemState.OPEN).order_by().values("pk")),
        )
    )
    said = list(entries.order_by("-id")[: MOST_LINES + 1])
    signed = list(acts.order_by("-id")[: MOST_LINES + 1])
    return {
        "begin": begin,
        "runs": runs,
        # One more than is shown tells that there are more.
        "entries": said,
        "acts": signed,
        "most": MOST_LINES,
        "failed": failed.filter(acknowledged_at=None)[:10],
        **_notes(begin, until),
        "latest": _end_of_minute(systems[0].signed_before) if systems and not said and not signed else None,
        "unseen": express_open(systems),
        "to_review": systems[0].to_review if systems else 0,
    }


def _notes(begin: datetime, until: datetime) -> dict[str, Any]:
    """Those of the shift and of the day before it; where there is none, the last ones, however old."""
    newest = list(ShiftNote.objects.filter(at__lt=until).order_by("-id")[:MOST_NOTES])
    lately = [note for note in newest if note.at >= begin - timedelta(days=1)]
    return {"notes": lately or newest[:OLD_NOTES], "notes_are_old": not lately}


def _end_of_minute(moment: datetime | None) -> datetime | None:
    """An address names minutes, and the moment is to lie before it."""
    return moment + timedelta(minutes=1) if moment is not None else None


def express_open(systems: Sequence[System]) -> list[tuple[Run, list[str]]]:
    """The latest runs of which systems have not signed the express stage, and these systems."""
    runs = list(Run.objects.filter(last_lumisection__gt=0).order_by("-number").defer("attributes")[:LATEST_RUNS])
    states = states_of([run.pk for run in runs], systems)
    found = []
    for run in runs:
        missing = [system.code for system in systems if states.get((run.pk, system.pk), {}).get("express") != "signed"]
        if missing:
            found.append((run, missing))
    return found
