"""From a typed error to what a person sees, in one place for all pages. What is not typed stays a fault."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_htmx.http import reswap, retarget

from certifier.accounts.permissions import NotAllowed
from certifier.audit.errors import CertifierError
from certifier.lumi import LumiError

HEADINGS = {
    400: "That cannot be done as asked.",
    404: "It does not exist.",
    409: "That contradicts what is there now.",
    412: "Somebody changed it meanwhile.",
    413: "That is too large to be sent.",
}


class TypedErrorMiddleware:
    """Views handle the errors they expect beside their forms; whatever typed error is left ends here.

    A page gets a page with the error's own status and words; an htmx request gets the message alone, for the
    place where messages stand. Somebody who is not logged in and opens a page is sent to log in first.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, NotAllowed):
            return not_allowed(request, exception)
        if isinstance(exception, CertifierError):
            return refused(request, exception.status, [item["message"] for item in exception.errors])
        if isinstance(exception, LumiError):
            return refused(request, 400, [str(exception)])
        return None


def not_allowed(request: HttpRequest, error: NotAllowed) -> HttpResponse:
    htmx = bool(getattr(request, "htmx", False))
    if not request.user.is_authenticated and request.method == "GET" and not htmx:
        return redirect_to_login(request.get_full_path())
    if htmx:
        return _message(request, 403, str(error))
    return render(request, "403.html", {"detail": str(error)}, status=403)


def refused(request: HttpRequest, status: int, messages: list[str]) -> HttpResponse:
    if getattr(request, "htmx", False):
        return _message(request, status, " ".join(messages))
    context = {"heading": HEADINGS.get(status, HEADINGS[400]), "refusals": messages}
    return render(request, "refused.html", context, status=status)


def _message(request: HttpRequest, status: int, text: str) -> HttpResponse:
    response = render(request, "_message.html", {"level": "error", "text": text}, status=status)
    return retarget(reswap(response, "innerHTML"), "#messages")
