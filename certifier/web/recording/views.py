"""Recording a defect on a run: the form, what it would change, the defects to choose from, and taking it back."""

from __future__ import annotations

import json
from typing import Any, cast
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.errors import CertifierError
from certifier.defects import selectors, services
from certifier.defects.errors import EnteredMeanwhile, UnknownEntry
from certifier.defects.forms import RecordForm, place_errors, recordable
from certifier.defects.logic_at import logic_at
from certifier.defects.meanwhile import is_the_same
from certifier.defects.models import Entry, Source
from certifier.lumi import LumiError, LumiSet
from certifier.runs.models import Run
from certifier.runs.selectors import find_run
from certifier.web import draft
from certifier.web.range_history import address_of
from certifier.web.views import varied, wants_part

from .choices import choices as choices_for
from .preview import Preview

FROM_ADDRESS = draft.FIELDS
RECORD_FORM = "record-form"
SHOWN_NEWER = 10
AGAIN = (
    "Somebody else has recorded meanwhile. Nothing of yours was recorded yet; what you typed is still here. "
    "Recording again puts yours over theirs, where the two overlap."
)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def record(request: HttpRequest, number: int) -> HttpResponse:
    """Record one entry. The button “Effect” says what it would change, and writes nothing."""
    if request.method == "POST" and not request.user.is_authenticated:
        return _sign_in_again(request, number)
    permissions.require(permissions.can_view(request.user))
    run = find_run(number)
    if request.method != "POST":
        given = {name: request.GET[name] for name in FROM_ADDRESS if name in request.GET}
        return _page(request, run, _form(request, run, initial=given | draft.take(request, number)))
    form = _form(request, run, request.POST)
    if not form.is_valid():
        return _page(request, run, form)
    entry = form.entry(number)
    try:
        if "effect" in request.POST:
            return _page(request, run, form, preview=Preview(run, entry))
        seen = form.cleaned_data["seen"]
        [row] = services.record_entries(actor=_person(request), entries=[entry], source=Source.PAGE, seen=seen)
    except EnteredMeanwhile as error:
        newest = error.entries[-1]
        if is_the_same(newest, entry, LumiSet.parse(entry.lumisections, last=run.last_lumisection), request.user.pk):  # type: ignore[arg-type]
            return _recorded(request, run, form, newest)
        return _page(request, run, form, meanwhile=error.entries)
    except CertifierError as error:
        place_errors(form, error)
        return _page(request, run, form)
    return _recorded(request, run, form, row)


def _person(request: HttpRequest) -> User:
    return cast("User", request.user)


def _form(request: HttpRequest, run: Run, data: Any = None, initial: dict[str, Any] | None = None) -> RecordForm:
    seen = {"seen": newest_entry_of(run)}
    names = recordable(logic_at().definitions, _person(request))
    return RecordForm(data, names=names, initial=seen | (initial or {}))


def newest_entry_of(run: Run) -> int:
    return Entry.objects.filter(run=run).aggregate(newest=Max("id"))["newest"] or 0


def _sign_in_again(request: HttpRequest, number: int) -> HttpResponse:
    """A session ends while somebody types: what they typed waits for them behind the login."""
    draft.keep(request, number)
    address = reverse("web:run", args=[number])
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(redirect_to_login(address).url)
    return redirect_to_login(address)


def _recorded(request: HttpRequest, run: Run, form: RecordForm, row: Entry) -> HttpResponse:
    said = f"{row.defect.name} is recorded as {form.cleaned_data['state']} on {row.lumisections} of run {run.number}."
    return _done(request, run, said, [row])


def _done(request: HttpRequest, run: Run, said: str, rows: list[Entry]) -> HttpResponse:
    """On the page of the run, the form stays, ready for the next entry, and the rest of the page follows by itself."""
    address = reverse("web:run", args=[run.number])
    if not request.htmx or _looked_at(request) != address:  # type: ignore[attr-defined]
        messages.success(request, said)
        address = f"{address}?recorded={rows[-1].pk}"
        return HttpResponseClientRedirect(address) if request.htmx else redirect(address)  # type: ignore[attr-defined]
    context = {"form": _form(request, run), "run": run, "said": said, "undoable": rows[-1].pk}
    response = varied(render(request, "defects/_record_form.html", context))
    response["HX-Trigger"] = json.dumps({"recorded": {"run": run.number, "entry": rows[-1].pk}})
    return response


def _looked_at(request: HttpRequest) -> str:
    """The path of the page in which htmx asks."""
    return urlsplit(request.htmx.current_url or "").path  # type: ignore[attr-defined]


def _page(
    request: HttpRequest,
    run: Run,
    form: RecordForm,
    *,
    preview: Preview | None = None,
    meanwhile: list[Entry] | None = None,
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "run": run, "preview": preview}
    status = 422 if form.errors else 200
    if meanwhile:
        # Who has looked at the difference has seen all of it.
        form.data = {**form.data.dict(), "seen": meanwhile[-1].pk}  # type: ignore[attr-defined]  # posted, a QueryDict
        context |= {"meanwhile": meanwhile[-SHOWN_NEWER:], "again": AGAIN}
        status = 409
    template = "defects/_record_form.html"
    if not wants_part(request, RECORD_FORM):
        template = "defects/record.html"
        context["now"] = [one for one in selectors.run_defects(run).defects if not one.virtual]
    return varied(render(request, template, context, status=status))


@never_cache
@require_POST
def preview(request: HttpRequest, number: int) -> HttpResponse:
    """What stands in the form, as it would be. Half a form previews nothing, and is no mistake yet."""
    permissions.require(permissions.can_view(request.user))
    run = find_run(number)
    form = _form(request, run, request.POST)
    context: dict[str, Any] = {"run": run, "live": True}
    if form.is_valid():
        try:
            context["preview"] = Preview(run, form.entry(number))
        except CertifierError as error:
            context["refusal"] = error.errors[0]["message"]
    elif form.data.get("lumisections") and "lumisections" not in form.errors:
        context["refusal"] = _not_lumisections(form.data["lumisections"], run)
    return varied(render(request, "defects/_record_effect.html", context))


def _not_lumisections(text: str, run: Run) -> str:
    try:
        LumiSet.parse(text, last=run.last_lumisection)
    except LumiError as error:
        return str(error)
    return ""


@never_cache
@require_safe
def choices(request: HttpRequest, number: int) -> HttpResponse:
    """The options of the type-ahead."""
    permissions.require(permissions.can_view(request.user))
    person = _person(request)
    systems = {system.pk for system in System.objects.all() if permissions.can_record_defects(person, system)}
    found = choices_for(logic_at().definitions, request.GET.get("q", "")[:200], systems)
    return render(request, "defects/_record_choices.html", {"choices": found})


@never_cache
@require_POST
def undo(request: HttpRequest, number: int) -> HttpResponse:
    """Take one entry back by new ones that say again what held before. Who asks in the history reads on there."""
    permissions.require(permissions.can_view(request.user))
    run = find_run(number)
    text = request.POST.get("entry", "")
    entry = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    if not Entry.objects.filter(pk=entry, run=run).exists():
        raise UnknownEntry(f"Run {number} has no entry {entry}.")
    rows = services.undo_entry(actor=_person(request), entry=entry)
    said = f"Entry {entry} is undone: what held before it is said again in {len(rows)} new "
    said = f"{said}{'entry' if len(rows) == 1 else 'entries'}."
    if "history" in request.POST:
        messages.success(request, said)
        return redirect(address_of(number, request.POST))
    return _done(request, run, said, rows)
