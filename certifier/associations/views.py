"""Pages of this room: what moves with a defect, which defects move an element, and whether a run is like another."""

from __future__ import annotations

from typing import Any, Final, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.defects.logic_at import logic_at
from certifier.monitoring.errors import ElementNotFound
from certifier.monitoring.selectors import find_element
from certifier.ops.models import LIVE
from certifier.runs.models import Run
from certifier.runs.selectors import find_run, reference_run

from .selectors import KIND, SAMPLES, key_of, key_of_samples, newest
from .services import ask, ask_for_samples

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
