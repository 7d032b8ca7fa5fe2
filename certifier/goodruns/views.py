"""Pages of good-run lists: all of them, one, two beside each other, and the three ways to make one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode

from django import forms as django_forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError
from certifier.lumi import LumiError, LumiSet, RunSelection
from certifier.runs.models import Run

from . import comparing, formats, selectors, services
from .api import bytes_of, file_response
from .conditions import condition_names
from .contents import file_name
from .efficiency_table import csv_of, csv_response
from .forms import CombineForm, CompareForm, ImportForm
from .known import Known
from .lengths import length_of_run
from .loss_table import LossTable
from .measure import measure_of
from .models import GoodRunList, Origin
from .waterfall import size_of, waterfall_plot

LISTS_PER_PAGE = 30
RUNS_PER_PAGE = 50
MOST_FLAGS = 20


def actor_of(request: HttpRequest) -> User:
    return cast("User", request.user)  # services refuse whoever has no role


@never_cache
@require_safe
def lists(request: HttpRequest) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    origin = request.GET.get("origin", "")
    rows = selectors.lists()
    if origin in Origin.values:
        rows = rows.filter(origin=origin)
    context = {
        "page": Paginator(rows, LISTS_PER_PAGE).get_page(request.GET.get("page")),
        "tabs": _tabs(origin),
        "may_publish": permissions.can_publish(request.user),
    }
    return render(request, "goodruns/lists.html", context)


def _tabs(current: str) -> list[dict[str, Any]]:
    counts = dict(GoodRunList.objects.order_by().values_list("origin").annotate(count=Count("pk")))
    tabs: list[dict[str, Any]] = [{"name": "all", "url": "?", "current": current not in Origin.values}]
    for origin in Origin.values:
        tabs.append(
            {"name": origin, "url": f"?origin={origin}", "current": origin == current, "count": counts.get(origin, 0)}
        )
    return tabs


@never_cache
@require_safe
def list_page(request: HttpRequest, pk: int) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    list_ = selectors.find_lists(pk, with_tables=True)[0]
    known = Known(list_, flags_asked(request))
    table, efficiency = known.tables
    page = _runs_of(known).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "list": list_,
        "page": page,
        "our_runs": [row.run_number for row in page.object_list if row.is_ours],
        "known": known.luminosity,
        "compare": CompareForm(but=list_),
        "documents": list_.documents.all(),
        "efficiency": efficiency,
        "again": asked_again(list_),
    }
    names = known.case.held(known.flags).names if known.flags else condition_names()
    return render(request, "goodruns/list.html", context | loss_context(table, known.flags, names))


def _runs_of(known: Known) -> Paginator:
    """The runs of a list, each with whether we have it: a list may name others, and these have no page."""
    content = known.content_if_read
    if content is None:
        ours = Exists(Run.objects.filter(number=OuterRef("run_number")))
        return Counted(known.list.runs.order_by("run_number").annotate(is_ours=ours), known.list.run_count)
    here = {row.number for row in known.facts.rows(content.runs)}
    rows = [ListedRun(run, lumisections, run in here) for run, lumisections in content.items()]
    return Paginator(rows, RUNS_PER_PAGE)


class ListedRun(NamedTuple):
    run_number: int
    lumisections: LumiSet
    is_ours: bool


class Counted(Paginator):
    """Of rows whose number is known without counting them."""

    def __init__(self, rows: QuerySet[Any], count: int) -> None:
        super().__init__(rows, RUNS_PER_PAGE)
        self.count = count


def asked_again(list_: GoodRunList) -> str:
    """The question of a built list for the address of the builder; empty for any other list."""
    if list_.origin != Origin.BUILT:
        return ""
    question = {
        "require": list_.require,
        "tag": [list_.tag.name] if list_.tag is not None else [],
        "runs": [list_.run_selection],
        "ignore": [" ".join(list_.ignore)],
        "stage": [list_.stage if list_.signed_off else "no"],
        "against": [list_.pk],
    }
    return urlencode(question, doseq=True)


def loss_context(table: LossTable, chosen: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """`names` are the conditions to choose from."""
    lost, selected = table.lost.recorded_inv_nb, table.selected.recorded_inv_nb
    good = table.good.recorded_inv_nb
    return {
        "loss": table,
        "loss_plot": waterfall_plot(table),
        "loss_size": size_of(table),
        # One unit for a column, so that its numbers can be compared.
        "unit": measure_of(table).unit if lost else "",
        "share_lost": lost / selected if selected and lost is not None else None,
        "share_good": (good or 0.0) / selected if selected else None,
        "flags": [(name, name in chosen) for name in names],
        "chosen": list(chosen),
    }


def flags_asked(request: HttpRequest) -> list[str]:
    return [name for name in request.GET.getlist("flag")[:MOST_FLAGS] if "\0" not in name]


@require_safe
def efficiency_csv(request: HttpRequest, pk: int) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    list_ = selectors.find_lists(pk, with_tables=True)[0]
    _, table = Known(list_, flags_asked(request)).tables
    return csv_response(csv_of(table), file_name(list_, "csv").removesuffix(".csv"))


@require_safe
def download(request: HttpRequest, pk: int, form: str) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    return file_response(request, selectors.find_list(pk), cast("formats.Format", form))


@never_cache
@require_safe
def compare(request: HttpRequest, pk: int) -> HttpResponse:
    """Where the form of a list's page goes without JavaScript: on to the address of the two."""
    permissions.require(permissions.can_view(request.user))
    list_ = selectors.find_list(pk)
    form = CompareForm(request.GET, but=list_)
    if not form.is_valid():
        messages.error(request, "Choose a list to compare with.")
        return redirect("goodruns:list", pk)
    return redirect("goodruns:diff", pk, form.cleaned_data["other"].pk)


@never_cache
@require_safe
def diff(request: HttpRequest, a: int, b: int) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    first, second = selectors.find_lists(a, b)
    text = request.GET.get("runs", "")
    error, selection = "", None
    try:
        selection = RunSelection.parse(text)
    except LumiError as problem:
        error = str(problem)
    contents = comparing.Contents(first, second, selection)
    found = contents.difference()
    page = Paginator(found.runs, RUNS_PER_PAGE).get_page(request.GET.get("page"))
    context = {"first": first, "second": second, "found": found, "page": page, "runs": text, "error": error}
    context["our_runs"] = contents.ours([each.run for each in page.object_list])
    context["reasons"] = comparing.reasons(contents, found)
    return render(request, "goodruns/diff.html", context)


# -- making lists ----------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def import_list(request: HttpRequest) -> HttpResponse:
    permissions.require(permissions.can_publish(request.user))
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = cast("UploadedFile", form.cleaned_data["file"])
        source = file.name or "file"
        try:
            list_ = services.import_list(
                actor=actor_of(request),
                name=form.cleaned_data["name"] or PurePath(source).stem,
                file=formats.read(bytes_of(file), length_of_run()),
                source=source,
                description=form.cleaned_data["description"],
            )
        except CertifierError as refusal:
            add_errors(form, refusal)
        else:
            for remark in list_.provenance["remarks"] if not list_.already_there else ():
                messages.warning(request, remark)
            return to_list(request, list_, "is imported")
    return render(request, "goodruns/import.html", {"form": form}, status=400 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def combine(request: HttpRequest) -> HttpResponse:
    permissions.require(permissions.can_publish(request.user))
    form = CombineForm(request.POST if request.method == "POST" else None, initial={"first": request.GET.get("list")})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            list_ = services.combine(
                actor=actor_of(request),
                operation=data["operation"],
                lists=[data["first"], *data["others"]],
                name=data["name"],
                description=data["description"],
            )
        except CertifierError as refusal:
            add_errors(form, refusal)
        else:
            return to_list(request, list_, "is published")
    return render(request, "goodruns/combine.html", {"form": form}, status=400 if form.errors else 200)


def to_list(request: HttpRequest, list_: GoodRunList, done: str) -> HttpResponse:
    if list_.already_there:
        messages.info(request, f"The list {list_.name} was there already, with the same lumisections.")
    else:
        messages.success(request, f"The list {list_.name} {done}.")
    return redirect("goodruns:list", list_.pk)


def add_errors(form: django_forms.Form, refusal: CertifierError) -> None:
    """Each message at its field; what names no field of the form stands above it."""
    for item in refusal.errors:
        field = item.get("field")
        form.add_error(field if field in form.fields else None, item["message"])
