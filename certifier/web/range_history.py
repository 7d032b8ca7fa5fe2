"""Who said what when about any lumisections of a run: entries, decisions and remarks of the review, signatures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from certifier.accounts import permissions
from certifier.accounts.models import System
from certifier.defects.models import Entry, Source
from certifier.lumi import LumiError, LumiSet
from certifier.review.models import Action, Answer, Decision, Remark, Said, SignOff
from certifier.runs.models import Run

LINES_PER_PAGE = 100
NARROWED_BY = ("ls", "system")


@dataclass(frozen=True)
class Line:
    """One thing that was said. `lumisections` are those asked about; None for what is said of a whole run."""

    at: datetime
    by: str
    system: str
    kind: str
    words: str
    state: str = ""
    lumisections: LumiSet | None = None
    comment: str = ""
    defect: str = ""
    item: int | None = None
    # The entry that this person may take back: it is the last word on these lumisections.
    undoable: int | None = None
    holds: LumiSet | None = None


class RangeField(forms.CharField):
    """Lumisections of a run of `last`; empty stands for all of them."""

    last = 0

    def clean(self, value: Any) -> LumiSet:
        text = super().clean(value).strip()
        if not text:
            return LumiSet.whole(self.last)
        try:
            return LumiSet.parse(text, self.last)
        except LumiError as error:
            raise forms.ValidationError(str(error)) from None


class RangeForm(forms.Form):
    ls = RangeField(
        label="lumisections", required=False, max_length=20_000,
        widget=forms.TextInput(attrs={"placeholder": "118-132, empty for all", "autocomplete": "off"}),
    )  # fmt: skip
    system = forms.ModelChoiceField(
        System.objects.all(), to_field_name="code", label="system", required=False, empty_label="all"
    )

    def __init__(self, *args: Any, last: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["ls"]
        assert isinstance(field, RangeField)
        field.last = last


@never_cache
@require_safe
def page(request: HttpRequest, number: int) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    run = get_object_or_404(Run.objects.defer("attributes"), number=number)
    form = RangeForm(request.GET, last=run.last_lumisection)
    lines: list[Line] = []
    if form.is_valid():
        lines = said_of(run, form.cleaned_data["ls"], form.cleaned_data["system"], request.user)
    context = {
        "run": run,
        "form": form,
        "asked": request.GET.get("ls", "").strip(),
        "page": Paginator(lines, LINES_PER_PAGE).get_page(request.GET.get("page")),
        "is_filtered": bool(request.GET.get("ls") or request.GET.get("system")),
        "system": request.GET.get("system", ""),
    }
    return render(request, "web/range_history.html", context, status=200 if form.is_valid() else 400)


def address_of(run: int, asked: Mapping[str, str]) -> str:
    """The address of this page; `asked` is what it was narrowed to, as somebody sent it."""
    kept = {name: asked.get(name, "") for name in NARROWED_BY}
    query = urlencode({name: value for name, value in kept.items() if value})
    return reverse("web:range-history", args=[run]) + (f"?{query}" if query else "")


def said_of(run: Run, asked: LumiSet, system: System | None, viewer: Any) -> list[Line]:
    """Everything said of these lumisections, the latest first, and what of it this person may take back. Four
    queries.
    """
    lines = [*_entries(run, asked, viewer), *_decisions(run, asked), *_remarks(run, asked), *_signatures(run)]
    if system is not None:
        lines = [line for line in lines if line.system == system.code]
    return sorted(lines, key=lambda line: line.at, reverse=True)


def _entries(run: Run, asked: LumiSet, viewer: Any) -> Iterator[Line]:
    """What a decision of the review wrote is taken back where it was decided."""
    rows = Entry.objects.filter(run=run).select_related("defect__system").order_by("-id")
    later: dict[int, LumiSet] = {}
    for row in rows:
        covered = later.get(row.defect_id, LumiSet())
        later[row.defect_id] = covered | row.lumisections
        touched, holds = row.lumisections & asked, row.lumisections - covered
        if touched:
            state = ("recoverable" if row.recoverable else "present") if row.present else "absent"
            may = permissions.can_record_defects(viewer, row.defect.system) and row.source != Source.REVIEW
            yield Line(
                row.entered_at, row.user, row.defect.system.code, row.get_source_display(),
                f"{row.defect.name} {state}", state, touched, row.comment, row.defect.name,
                undoable=row.pk if may and holds else None, holds=holds,
            )  # fmt: skip


ANSWERS = {
    Answer.CONFIRM: "confirmed a finding",
    Answer.OVERRIDE: "overrode a verdict",
    Answer.UNDO: "undid a decision",
}


def _decisions(run: Run, asked: LumiSet) -> Iterator[Line]:
    rows = Decision.objects.filter(item__run=run).select_related("item__system").order_by("-id")
    for row in rows:
        touched = (row.item.lumisections | row.good | row.bad) & asked
        if touched:
            words = ANSWERS[Answer(row.answer)]
            parts = [f"bad {row.bad}" if row.bad else "", f"good {row.good}" if row.good else ""]
            words += f": {', '.join(part for part in parts if part)}" if any(parts) and not row.undoes_id else ""
            yield Line(
                row.at, row.by_name, row.item.system.code, "review", words, "", touched, row.comment, item=row.item_id
            )


SAID = {Said.COMMENT: "commented", Said.SKIP: "skipped", Said.TAKE_OVER: "took over"}


def _remarks(run: Run, asked: LumiSet) -> Iterator[Line]:
    rows: Iterable[Remark] = Remark.objects.filter(item__run=run).select_related("item__system").order_by("-id")
    for row in rows:
        touched = row.item.lumisections & asked
        if touched:
            words = f"{SAID[Said(row.kind)]} a finding"
            yield Line(
                row.at, row.by_name, row.item.system.code, "review", words, "", touched, row.text, item=row.item_id
            )


def _signatures(run: Run) -> Iterator[Line]:
    for row in SignOff.objects.filter(run=run).select_related("system").order_by("-id"):
        done = "signed" if row.action == Action.SIGN else "reopened"
        yield Line(row.at, row.by_name, row.system.code, "sign-off", f"{done} {row.stage}", done, None, row.comment)
