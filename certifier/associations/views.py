"""Pages of this room: what moves with a defect, which defects move an element, whether a run is like another, and which
runs of a system are alike."""

from __future__ import annotations

from typing import Any, Final, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from certifier.accounts import permissions
from certifier.accounts.errors import NoSuchSystem
from certifier.accounts.models import User
from certifier.accounts.selectors import system_named
from certifier.defects.logic_at import logic_at
from certifier.monitoring.errors import ElementNotFound
from certifier.monitoring.selectors import find_element
from certifier.ops.models import LIVE
from certifier.runs.models import Run
from certifier.runs.selectors import find_run, reference_run
from mlcore.run_map import FEWEST

from .map_page import figure, mapped_runs, ways
from .selectors import KIND, RUN_MAP, SAMPLES, key_of, key_of_map, key_of_samples, newest, runs_with, shaped
from .services import ask, ask_for_map, ask_for_samples

# Below it, a line is called sure.
SURE: Final = 0.05
EVERY_S: Final = 3


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def of_defect(request: HttpRequest, name: str) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    meaning = logic_at().definitions.find(name)
    if meaning is None:
        raise Http404(f"There is no defect “{name[:60]}”.")
    if request.method == "POST":
        ask(actor=cast("User", request.user), defect=meaning.name)
        return redirect("associations:defect", meaning.name)
    context = _context(key_of(defect=meaning.name)) | {"defect": meaning}
    return render(request, "associations/defect.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def of_element(request: HttpRequest, path: str) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    try:
        element = find_element(path)
    except ElementNotFound as error:
        raise Http404(str(error)) from None
    if request.method == "POST":
        ask(actor=cast("User", request.user), element=element.path)
        return redirect("associations:element", element.path)
    context = _context(key_of(element=element.path)) | {"element": element}
    return render(request, "associations/element.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def samples(request: HttpRequest, number: int) -> HttpResponse:
    """Whether a run is like its reference, or like any other run, and what differs; the choice is the address."""
    permissions.require(permissions.can_view(request.user))
    run = find_run(number)
    known = reference_run(number)
    given = {
        name: request.GET.get(name, "").replace("\0", "").strip()[:200] for name in ("against", "system", "element")
    }
    digits = given["against"].isascii() and given["against"].isdigit() and len(given["against"]) < 10
    against = int(given["against"]) if digits else known
    wrong = "" if digits or not given["against"] else f"“{given['against'][:20]}” is no number of a run."
    if against is not None and not Run.objects.filter(number=against).exists():
        wrong, against = f"There is no run {against}.", None
    what = {"system": given["system"].upper(), "element": given["element"]}
    if request.method == "POST" and against is not None and not wrong:
        ask_for_samples(actor=cast("User", request.user), run=number, against=against, **what)
        return redirect(request.get_full_path())
    found: dict[str, Any] = {}
    if against is not None:
        found = _context(key_of_samples(run=number, against=against, **what), SAMPLES, sure_by="p")
    context = {"run": run, "against": against, "known": known, "wrong": wrong, **what, **found}
    return render(request, "associations/samples.html", context, status=422 if wrong else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def runs_map(request: HttpRequest, code: str) -> HttpResponse:
    """The runs of a system as points, alike ones together. `run` in the address chooses one of them."""
    permissions.require(permissions.can_view(request.user))
    try:
        system = system_named(code)
    except NoSuchSystem as error:
        raise Http404(str(error)) from None
    if request.method == "POST":
        ask_for_map(actor=cast("User", request.user), system=system)
        return redirect(request.get_full_path())
    done, later = newest(key_of_map(system), RUN_MAP)
    result = done.result if done is not None and isinstance(done.result, dict) else None
    elements = shaped(system)
    runs = mapped_runs(system, result["points"]) if result else []
    asked = request.GET.get("run", "")
    chosen = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None
    context = {
        "system": system, "elements": elements, "done": done, "result": result, "later": later,
        "live": later is not None and later.state in LIVE, "every": EVERY_S, "fewest": FEWEST,
        # Of a map that is there, the runs that came after it; else those that one could be made of.
        "since": runs_with(elements, since=result["newest_part"] if result else 0), "runs": runs, "chosen": chosen,
        "here": next((run for run in runs if run.number == chosen), None),
        "plot": figure(system, runs, chosen) if runs else None,
        "ways": ways(result) if result else [], "shown": 100 * sum(result["explained"]) if result else 0,
        "may_draw": permissions.can_draw_maps(request.user),
    }  # fmt: skip
    return render(request, "associations/map.html", context)


def _context(key: str, kind: str = KIND, *, sure_by: str = "p_family") -> dict[str, Any]:
    done, later = newest(key, kind)
    result = done.result if done is not None and isinstance(done.result, dict) else None
    live = later is not None and later.state in LIVE
    return {
        "done": done,
        "result": result,
        "lines": [(line, line[sure_by] < SURE) for line in result["lines"]] if result else [],
        "later": later,
        "live": live,
        "every": EVERY_S,
    }
