"""Pages of entries: recording a defect, uploading text, the history of a run."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRedirect

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError
from certifier.runs.models import Run
from certifier.runs.selectors import find_run

from . import selectors, services, upload, upload_text
from .as_of import as_of
from .definition_pages import tag_names, varied, wants_part
from .effects import Effect, effects_of, together
from .forms import HistoryForm, RecordForm, UploadForm, place_errors, recordable
from .logic_at import logic_at
from .models import Source

HISTORY_PAGE = 200
SHOWN_EFFECTS = 6
SHOWN_LINES = 500
FROM_ADDRESS = ("defect", "lumisections", "state", "comment")
RECORD_FORM, PREVIEW = "record-form", "upload-preview"


def record_form(user: Any, data: Any = None, initial: dict[str, Any] | None = None) -> RecordForm:
    """The form of `defects/_record_form.html`; the run page shows it as well."""
    return RecordForm(data, names=recordable(logic_at().definitions, user), initial=initial)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def record(request: HttpRequest, run: int) -> HttpResponse:
    """Record one entry. The button “Effect” says what it would change, and writes nothing."""
    permissions.require(permissions.can_view(request.user))
    of_run = find_run(run)
    if request.method != "POST":
        given = {name: request.GET[name] for name in FROM_ADDRESS if name in request.GET}
        return _record_page(request, of_run, record_form(request.user, initial=given))
    form = record_form(request.user, request.POST)
    if not form.is_valid():
        return _record_page(request, of_run, form)
    entry = form.entry(run)
    try:
        if "effect" in request.POST:
            return _record_page(request, of_run, form, effects=effects_of(of_run, [entry]))
        [row] = services.record_entries(actor=cast("User", request.user), entries=[entry], source=Source.PAGE)
    except CertifierError as error:
        place_errors(form, error)
        return _record_page(request, of_run, form)
    state = form.cleaned_data["state"]
    messages.success(request, f"{row.defect.name} is recorded as {state} on {row.lumisections} of run {run}.")
    return _go(request, reverse("web:run", args=[run]))


def _record_page(
    request: HttpRequest, run: Run, form: RecordForm, *, effects: list[Effect] | None = None
) -> HttpResponse:
    groups = together(effects or [])
    context: dict[str, Any] = {
        "form": form,
        "run": run,
        "asked": effects is not None,
        "effects": groups[:SHOWN_EFFECTS],
        "more_effects": max(0, len(groups) - SHOWN_EFFECTS),
    }
    template = "defects/_record_form.html"
    if not wants_part(request, RECORD_FORM):
        template = "defects/record.html"
        context["now"] = [one for one in selectors.run_defects(run).defects if not one.virtual]
    return varied(render(request, template, context, status=422 if form.errors else 200))


def _go(request: HttpRequest, address: str) -> HttpResponse:
    """To another page, also when htmx asked for a part of this one."""
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(address)
    return redirect(address)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def upload_page(request: HttpRequest) -> HttpResponse:
    """An upload text: first the preview of each line, then all of them or none."""
    permissions.require(permissions.can_view(request.user))
    if request.method != "POST":
        run = request.GET.get("run", "")
        text = f"@{run}\n" if run.isascii() and run.isdigit() else ""
        return _upload_page(request, UploadForm(initial={"text": text}))
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return _upload_page(request, form)
    try:
        text = _text_of(form)
        shown = UploadForm(initial={"text": text})
        dry_run = "record" not in request.POST
        done = upload.record_upload(actor=cast("User", request.user), text=text, dry_run=dry_run)
    except CertifierError as error:
        return _upload_page(request, UploadForm(initial={"text": request.POST.get("text", "")}), errors=error)
    if dry_run:
        return _upload_page(request, shown, done=done)
    runs = sorted({line.resolved.run.number for line in done.lines})
    (messages.success if done.entries else messages.info)(request, done.message)
    return _go(request, reverse("web:run", args=runs) if len(runs) == 1 else reverse("defects:upload"))


def _text_of(form: UploadForm) -> str:
    """The file, when there is one, else what stands in the box; both as an upload over REST is read."""
    file = form.cleaned_data["file"]
    body = file.read(upload_text.MAX_BYTES + 1) if file else form.cleaned_data["text"].encode()
    return upload_text.decode(body)


def _upload_page(
    request: HttpRequest, form: UploadForm, *, done: upload.Upload | None = None, errors: CertifierError | None = None
) -> HttpResponse:
    context = {
        "form": form,
        "done": done,
        "lines": done.lines[:SHOWN_LINES] if done else [],
        "more_lines": max(0, len(done.lines) - SHOWN_LINES) if done else 0,
        "problems": [item["message"] for item in errors.errors] if errors else [],
        "text": form.initial.get("text", ""),
    }
    template = "defects/_upload_preview.html" if wants_part(request, PREVIEW) else "defects/upload.html"
    return varied(render(request, template, context, status=422 if errors or form.errors else 200))


@never_cache
@require_safe
def history(request: HttpRequest, run: int) -> HttpResponse:
    """Everything that was said about a run, the latest first."""
    permissions.require(permissions.can_view(request.user))
    of_run = find_run(run)
    moment = as_of(request.GET.get("tag"))
    lines = selectors.history(of_run, moment)
    recorded = sorted({line.defect for line in lines}, key=str.lower)
    form = HistoryForm(request.GET)
    wanted = form.cleaned_data["defect"].strip().lower() if form.is_valid() else ""
    chosen = [line for line in reversed(lines) if wanted in line.defect.lower()]
    context = {
        "run": of_run,
        "form": form,
        "wanted": wanted,
        "page": Paginator(chosen, HISTORY_PAGE).get_page(request.GET.get("page")),
        "recorded": recorded,
        "moment": moment,
        "tags": tag_names(),
    }
    return render(request, "defects/history.html", context)
