"""What somebody had typed when their session was over: kept for them until they have signed in again."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

KEPT = "record_draft"
FIELDS = ("defect", "lumisections", "state", "comment")
# A session is no archive; a comment of more than 4,000 characters is refused anyway.
LONGEST = 20_000


def keep(request: HttpRequest, run: int) -> None:
    """In the session of nobody, which signing in takes over."""
    typed = {name: request.POST[name][:LONGEST] for name in FIELDS if request.POST.get(name)}
    if typed:
        request.session[KEPT] = {"run": run, **typed}


def take(request: HttpRequest, run: int) -> dict[str, Any]:
    """What was kept for the form of this run, once."""
    kept = request.session.get(KEPT)
    if not kept or kept.get("run") != run:
        return {}
    del request.session[KEPT]
    return {name: kept[name] for name in FIELDS if name in kept}
