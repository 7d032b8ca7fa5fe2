"""What holds for every address below /api/, also where REST framework is not reached: errors are JSON."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import BadRequest, DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import is_valid_path

from certifier.audit.request_id import current_request_id

from .errors import Answer, detail
from .parsers import UNSTORABLE
from .renderers import JSONRenderer

PREFIX = "/api/"
READING = ("GET", "HEAD", "OPTIONS")
# A client that still sends its body does not read the answer; so much of it is read and thrown away first.
DRAINED = 256 * 1024 * 1024


class ApiMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PREFIX):
            if _holds_nul(request):
                raise BadRequest("The address holds the character NUL.")
            return self.get_response(request)
        if refusal := refusal_of(request):
            _drain(request)
            return response_of(refusal)
        return as_json(request, self.get_response(request))


def refusal_of(request: HttpRequest) -> Answer | None:
    """What is wrong with the request before anybody looks at what it asks for."""
    try:
        request.get_host()
    except DisallowedHost:
        return detail(400, "This installation does not answer for the host name of the request (ALLOWED_HOSTS).")
    if _holds_nul(request):
        return detail(400, "The address holds the character NUL.")
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isdigit() and int(length) > limit:
        return detail(
            413, f"The body has {int(length):,} bytes; {limit:,} is the most. Split it into several requests."
        )
    if not length and request.META.get("HTTP_TRANSFER_ENCODING"):
        return detail(411, "Send the body with its Content-Length; a chunked body is not read.")
    path = request.path_info
    if (
        request.method not in READING
        and not path.endswith("/")
        and not is_valid_path(path)
        and is_valid_path(path + "/")
    ):
        return detail(404, f"Addresses end with a slash: {request.method} {path}/")
    return None


def _holds_nul(request: HttpRequest) -> bool:
    query = request.META.get("QUERY_STRING", "")
    return UNSTORABLE in request.path_info or UNSTORABLE in query or "%00" in query


def _drain(request: HttpRequest) -> None:
    left = min(int(request.META.get("CONTENT_LENGTH") or 0), DRAINED)
    while left > 0 and (block := request.read(min(left, 1 << 20))):
        left -= len(block)


def response_of(answer: Answer) -> HttpResponse:
    return HttpResponse(
        JSONRenderer().render(answer.body),
        status=answer.status,
        headers=answer.headers,
        content_type="application/json",
    )


def as_json(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """An error page of Django (unknown address, CSRF, a fault) as the contract's JSON; others as they are."""
    status = response.status_code
    if status < 400 or response.get("Content-Type", "").startswith("application/json"):
        return response
    answer = response_of(detail(status, _words(request, status)))
    for name, value in response.items():
        if name not in ("Content-Type", "Content-Length"):
            answer[name] = value
    answer.cookies = response.cookies
    return answer


def _words(request: HttpRequest, status: int) -> str:
    if status == 404:
        return f"There is nothing at {request.path_info[:200]}. The addresses are listed at /api/docs/."
    if status >= 500:
        return (
            "Something failed on our side. Nothing was changed: every change is made whole or not at all. "
            f"The log has it under request {current_request_id()}."
        )
    return f"{HTTPStatus(status).phrase}."
