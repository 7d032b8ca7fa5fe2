"""Pages of definitions: the catalogue, one defect, defining and changing it."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError

from . import definition_rules as rules
from . import selectors, services
from .as_of import AsOf, as_of
from .definition_effects import DefinitionEffect, effects_of_definition
from .errors import UnknownDefect
from .forms import CatalogueForm, DefineForm, place_errors, systems_of
from .logic_at import LogicAt, Meaning
from .models import Defect, Definition, Entry, Tag
from .naming import HEAD, did_you_mean, quoted
from .tree_picture import Picture, picture_of

PAGE_SIZE = 100
RECENT_ENTRIES = 30
CATALOGUE = "catalogue"


@never_cache
@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """Every defect, as it is or as a tag knew it, with how much it is used."""
    permissions.require(permissions.can_view(request.user))
    moment = as_of(request.GET.get("tag"))
    form = CatalogueForm(request.GET)
    chosen = chosen_meanings(form, moment) if form.is_valid() else []
    page = Paginator(chosen, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "rows": rows_of(list(page.object_list), moment),
        "counts": counts_of(chosen),
        "moment": moment,
        "tags": tag_names(),
        "may_define": bool(systems_of(request.user)),
    }
    template = "defects/_catalogue.html" if wants_part(request, CATALOGUE) else "defects/catalogue.html"
    return varied(render(request, template, context))


def wants_part(request: HttpRequest, element: str) -> bool:
    """Whether htmx asks for that element only. Going back in the history it asks for the whole page."""
    htmx = request.htmx  # type: ignore[attr-defined]  # set by the middleware of django-htmx
    return bool(htmx) and htmx.target == element and not htmx.history_restore_request


def varied(response: HttpResponse) -> HttpResponse:
    """One address, two answers: no cache may take one for the other."""
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


def tag_names() -> list[str]:
    return list(Tag.objects.values_list("name", flat=True))


def chosen_meanings(form: CatalogueForm, moment: AsOf) -> list[Meaning]:
    wanted = form.cleaned_data
    text = wanted["q"].lower().strip()

    def fits(meaning: Meaning) -> bool:
        return (
            (not wanted["system"] or meaning.system_code == wanted["system"])
            and (not wanted["kind"] or meaning.is_virtual == (wanted["kind"] == "virtual"))
            and (not wanted["intolerable"] or meaning.intolerable)
            and (not text or any(text in part.lower() for part in (meaning.name, meaning.description)))
        )

    return [meaning for meaning in moment.logic().definitions.values() if fits(meaning)]


def counts_of(meanings: list[Meaning]) -> dict[str, int]:
    virtual = sum(meaning.is_virtual for meaning in meanings)
    return {"primary": len(meanings) - virtual, "virtual": virtual}


def rows_of(meanings: list[Meaning], moment: AsOf) -> list[dict[str, Any]]:
    primaries = [meaning.defect for meaning in meanings if not meaning.is_virtual]
    used = selectors.brief_usage(primaries) if moment.is_head else {}
    newest = Entry.objects.filter(pk__in=[last for _, _, last in used.values()]).select_related("run").in_bulk()
    rows = []
    for meaning in meanings:
        entries, runs, last = used.get(meaning.defect, (0, 0, 0))
        rows.append({"meaning": meaning, "entries": entries, "runs": runs, "last": newest.get(last)})
    return rows


@never_cache
@require_safe
def definition(request: HttpRequest, name: str) -> HttpResponse:
    """What a defect is called and means, what depends on it, who used it where."""
    permissions.require(permissions.can_view(request.user))
    moment = as_of(request.GET.get("tag"))
    logic = moment.logic()
    meaning = logic.definitions.find(name)
    if meaning is None:
        newer = renamed_to(name) if moment.is_head else None
        if newer:
            messages.info(request, f"{name} is called {newer} now.")
            return redirect("defects:definition", newer)
        when = "" if moment.is_head else f" at tag {moment.name}"
        raise UnknownDefect(f"There is no defect {quoted(name)}{when}.{did_you_mean(name, logic.definitions)}")
    defect = Defect.objects.select_related("system").get(pk=meaning.defect)
    entries = Entry.objects.filter(defect=defect).select_related("run").order_by("-id")
    if moment.up_to is not None:
        entries = entries.filter(id__lte=moment.up_to)
    context = {
        "meaning": meaning,
        "moment": moment,
        "tags": tag_names(),
        "facts": facts_of(meaning),
        "terms": terms_of(meaning, logic),
        "tree": [tree_node(selectors.dependency_tree(meaning.name, logic), moment, 0)] if meaning.is_virtual else [],
        "picture": _picture(meaning, logic, moment),
        "primaries": len(logic.logic.primaries_of(meaning.name)) if meaning.is_virtual else 0,
        "used_by": selectors.used_by(meaning.name, logic),
        "usage": None if meaning.is_virtual or not moment.is_head else selectors.usage(defect),
        "definitions": selectors.definitions_of(defect),
        "entries": [] if meaning.is_virtual else entries[:RECENT_ENTRIES],
        "may_define": moment.is_head and bool(permissions.can_define_defects(request.user, meaning.system)),
    }
    return render(request, "defects/definition.html", context)


def renamed_to(name: str) -> str | None:
    """What the defect that once had this name is called now: links and bookmarks keep working."""
    if not name.isascii():
        return None
    known = Definition.objects.filter(name__iexact=name).order_by("-version_id").select_related("defect").first()
    return known.defect.name if known else None


def facts_of(meaning: Meaning) -> list[tuple[str, str]]:
    return [
        ("system", meaning.system_code),
        ("kind", "virtual" if meaning.is_virtual else "primary"),
        ("tolerance", "intolerable" if meaning.intolerable else "tolerable"),
        *([("comment", "required")] if meaning.needs_comment else []),
        ("defined since", f"logic {meaning.since}"),
    ]


def terms_of(meaning: Meaning, logic: LogicAt) -> list[tuple[str, Meaning | None]]:
    """The expression in pieces: text as it is, and names with their definition."""
    pieces: list[tuple[str, Meaning | None]] = []
    for word in (meaning.expression or "").replace("(", "( ").replace(")", " )").split():
        pieces.append((word, logic.definitions.get(word)))
    return pieces


def tree_node(branch: selectors.Branch, moment: AsOf, depth: int) -> dict[str, Any]:
    meaning = branch.meaning
    reading = "virtual" if meaning.is_virtual else ""
    return {
        "name": meaning.name,
        "url": address(meaning.name, moment),
        "intolerable": meaning.intolerable,
        "reading": "virtual, unfolded above" if branch.again else reading,
        "children": [tree_node(child, moment, depth + 1) for child in branch.children],
        "open": depth < 2,
    }


def _picture(meaning: Meaning, logic: LogicAt, moment: AsOf) -> Picture | None:
    if not meaning.is_virtual:
        return None
    return picture_of(selectors.dependency_tree(meaning.name, logic), lambda named: address(named.name, moment))


def address(name: str, moment: AsOf) -> str:
    url = reverse("defects:definition", args=[name])
    return url if moment.name == HEAD else f"{url}?tag={moment.name}"


# --- defining ---------------------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def define(request: HttpRequest) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    systems = systems_of(request.user)
    if not systems:
        raise permissions.NotAllowed(
            "Defining a defect needs the role expert of its system, or coordinator. Ask an administrator to grant it."
        )
    initial = {name: request.GET[name] for name in ("name", "system") if name in request.GET}
    form = DefineForm(request.POST if request.method == "POST" else None, systems=systems, initial=initial)
    showing = "show" in request.POST
    effects = effects_shown(form) if showing and form.is_valid() else None
    if request.method == "POST" and not showing and form.is_valid():
        try:
            made = services.define_defect(actor=cast("User", request.user), **form.definition())
        except CertifierError as error:
            place_errors(form, error)
        else:
            messages.success(request, f"{made.name} is defined.")
            return redirect("defects:definition", made.name)
    context = {
        "form": form,
        "heading": "Define a defect",
        "submit": "Define",
        "cancel_url": reverse("defects:catalogue"),
        "effects": effects,
    }
    return _definition_form(request, context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, name: str) -> HttpResponse:
    defect = selectors.defect_named(name)
    permissions.require(permissions.can_define_defects(request.user, defect.system))
    meaning = as_of(None).logic().definitions.by_defect[defect.pk]
    form = DefineForm(
        request.POST if request.method == "POST" else None,
        systems=systems_of(request.user),
        virtual=defect.is_virtual,
        initial={
            "name": defect.name,
            "system": defect.system.code,
            "description": defect.description,
            "expression": defect.expression,
            "intolerable": defect.intolerable,
            "needs_comment": defect.needs_comment,
            "version": meaning.since,
        },
    )
    showing = "show" in request.POST
    effects = effects_shown(form, meaning) if showing and form.is_valid() else None
    if request.method == "POST" and not showing and form.is_valid():
        try:
            changed = services.change_defect(
                actor=cast("User", request.user),
                defect=defect,
                expected_version=form.cleaned_data["version"],
                **form.definition(),
            )
        except CertifierError as error:
            place_errors(form, error)
        else:
            messages.success(request, f"{changed.name} is changed. Tags keep what it was.")
            return redirect("defects:definition", changed.name)
    context = {
        "form": form,
        "heading": f"Change {defect.name}",
        "submit": "Save",
        "cancel_url": reverse("defects:definition", args=[defect.name]),
        "dependents": selectors.used_by(defect.name),
        "effects": effects,
    }
    return _definition_form(request, context)


def effects_shown(form: DefineForm, before: Meaning | None = None) -> list[DefinitionEffect] | None:
    """What saving the form would change; None where saving would be refused, with the reason in the form."""
    given = form.definition()
    try:
        if before is not None:
            wanted = rules.changed_meaning(before, before.since, given)
        else:
            new = rules.NewDefect(**given)
            rules.check_new_names([new], as_of(None).logic().definitions)
            wanted = rules.new_meaning(new, rules.system_named(new.system), 0)
        return effects_of_definition(wanted, before)
    except CertifierError as error:
        place_errors(form, error)
        return None


def _definition_form(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """The page of the form; what saving would change alone, for htmx, which asks while somebody writes."""
    status = 422 if context["form"].errors else 200
    template = "defects/_effect.html" if wants_part(request, "effect") else "defects/define.html"
    return varied(render(request, template, context, status=status))
