"""Pages of this room: what moves with a defect, and which defects move an element."""

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

from .selectors import key_of, newest
from .services import ask

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


def _context(key: str) -> dict[str, Any]:
    done, later = newest(key)
    result = done.result if done is not None and isinstance(done.result, dict) else None
    live = later is not None and later.state in LIVE
    return {
        "done": done,
        "result": result,
        "lines": [(line, line["p_family"] < SURE) for line in result["lines"]] if result else [],
        "later": later,
        "live": live,
        "every": EVERY_S,
    }
