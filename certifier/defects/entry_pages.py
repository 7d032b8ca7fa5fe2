"""Pages of entries: uploading text, the history of a run. Recording one joins rooms: see `certifier.web.recording`."""

from __future__ import annotations

from typing import cast

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
from certifier.runs.selectors import find_run

from . import selectors, upload, upload_text
from .as_of import as_of
from .definition_pages import tag_names, varied, wants_part
from .forms import HistoryForm, UploadForm

HISTORY_PAGE = 200
SHOWN_LINES = 500
PREVIEW = "upload-preview"


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
