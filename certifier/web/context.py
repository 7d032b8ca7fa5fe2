"""What every page's frame needs: whether a worker lives, what theme was chosen."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def workplace(request: HttpRequest) -> dict[str, Any]:
    return {"theme": request.COOKIES.get("theme", "")}
