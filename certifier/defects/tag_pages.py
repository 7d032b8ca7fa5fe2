"""Pages of tags: the list, one tag, and what differs between two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError
from certifier.lumi import LumiSet
from certifier.runs.models import Run

from . import services
from .as_of import as_of, tag_named
from .definition_pages import tag_names
from .forms import DiffForm, TagForm, place_errors
from .models import Definition, Entry, Tag
from .naming import HEAD, key_of
from .tag_diff import RunDifference, tag_diff

TAGS_PAGE = 50
DIFFERENCES_PAGE = 200


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def tags(request: HttpRequest) -> HttpResponse:
    """Every tag, the newest first; coordinators make one here."""
    permissions.require(permissions.can_view(request.user))
    form = TagForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            tag = services.create_tag(actor=cast("User", request.user), **form.cleaned_data)
        except CertifierError as error:
            place_errors(form, error)
        else:
            messages.success(request, f"The tag {tag.name} is made. It never changes.")
            return redirect("defects:tag", tag.name)
    rows = Tag.objects.select_related("logic", "from_tag", "created_by")
    context = {
        "form": form,
        "page": Paginator(rows, TAGS_PAGE).get_page(request.GET.get("page")),
        "may_tag": permissions.can_tag(request.user),
    }
    return render(request, "defects/tags.html", context, status=422 if form.errors else 200)


@never_cache
@require_safe
def tag(request: HttpRequest, name: str) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    shown = tag_named(name)
    moment = as_of(shown)
    others = [other for other in tag_names() if other != shown.name]
    if (other := request.GET.get("other", "")) and key_of(other) in {key_of(each) for each in [*others, HEAD]}:
        return redirect("defects:tag_diff", shown.name, other)
    definitions = moment.logic().definitions
    numbers = Run.objects.order_by().values_list("number", flat=True)
    covered = [number for number in numbers if number in moment.runs]
    virtual = sum(1 for _ in definitions.virtuals())
    context = {
        "tag": shown,
        "moment": moment,
        "others": others,
        "facts": [
            ("runs", f"{len(covered):,}" if shown.runs else f"all, {len(covered):,} now"),
            ("entries up to", f"{shown.entry_id:,}"),
            ("logic", str(shown.logic_id or "–")),
            ("defects", f"{len(definitions) - virtual} primary, {virtual} virtual"),
        ],
        "since": {
            "entries": Entry.objects.filter(id__gt=shown.entry_id).count(),
            "definitions": Definition.objects.filter(version_id__gt=shown.logic_id or 0).count(),
        },
    }
    return render(request, "defects/tag.html", context)


@never_cache
@require_safe
def tag_diff_page(request: HttpRequest, a: str, b: str) -> HttpResponse:
    """What is present on one side only, run by run, and which definitions differ."""
    permissions.require(permissions.can_view(request.user))
    one, other = as_of(a), as_of(b)
    form = DiffForm(request.GET)
    differences: list[RunDifference] = []
    diff = None
    if form.is_valid():
        wanted = form.cleaned_data
        try:
            diff = tag_diff(
                one,
                other,
                systems={key_of(wanted["system"])} if wanted["system"] else (),
                ignore=wanted["ignore"].split(),
                runs=wanted["runs"],
                virtual=wanted["kind"] != "primary",
            )
            differences = list(diff.differences)
        except CertifierError as error:
            place_errors(form, error)
    context = {
        "a": one,
        "b": other,
        "names": [HEAD, *tag_names()],
        "form": form,
        "diff": diff,
        "page": Paginator(differences, DIFFERENCES_PAGE).get_page(request.GET.get("page")),
        "runs": len({row.run for row in differences}),
        "by_system": by_system(differences),
        "recoverable_differs": any(row.recoverable_differs for row in differences),
    }
    return render(request, "defects/tag_diff.html", context)


@dataclass
class SystemDifference:
    """What differs in the primary defects of a system: runs, and lumisections counted once however many defects."""

    system: str
    runs: int = 0
    only_in_a: int = 0
    only_in_b: int = 0
    defects: set[str] = field(default_factory=set)


def by_system(differences: list[RunDifference]) -> list[SystemDifference]:
    """The most lumisections first."""
    parts: dict[tuple[str, int], tuple[LumiSet, LumiSet]] = {}
    found: dict[str, SystemDifference] = {}
    for row in differences:
        if row.virtual:
            continue
        a, b = parts.get((row.system, row.run), (LumiSet(), LumiSet()))
        parts[row.system, row.run] = (a | row.only_in_a, b | row.only_in_b)
        found.setdefault(row.system, SystemDifference(row.system)).defects.add(row.defect)
    for (system, _), (a, b) in parts.items():
        one = found[system]
        one.runs += 1
        one.only_in_a += len(a)
        one.only_in_b += len(b)
    return sorted(found.values(), key=lambda one: (-(one.only_in_a + one.only_in_b), one.system))
