"""`{% sign_off_panel run %}`: the panel, for pages of rooms above."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import template

from certifier.review.panel import panel
from certifier.review.selectors import SystemState
from certifier.runs.models import Run

register = template.Library()


@register.inclusion_tag("review/_sign_off_panel.html", takes_context=True)
def sign_off_panel(context: dict[str, Any], run: Run, states: Sequence[SystemState] | None = None) -> dict[str, Any]:
    """Who signed what of a run, and the buttons to sign and reopen. `states` saves reading them again."""
    request = context["request"]
    return {"panel": panel(run, request.user, states), "request": request, "csrf_token": context.get("csrf_token")}
