"""Answers as compact JSON that any parser reads: a number that is none leaves as null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder as RestJSONEncoder

from certifier.lumi import LumiSet


class JSONEncoder(RestJSONEncoder):
    def default(self, obj: Any) -> Any:
        if isinstance(obj, LumiSet):
            return str(obj)
        if isinstance(obj, np.ndarray | np.generic):
            return obj.tolist()
        return super().default(obj)


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if data is None:
            return b""
        try:
            text = dump(data)
        except ValueError:  # NaN or infinity somewhere: rare, so only then is the tree walked
            text = dump(without_nan(data))
        return text.encode("utf-8", "replace")


def dump(data: Any) -> str:
    return json.dumps(data, cls=JSONEncoder, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def without_nan(value: Any) -> Any:
    """The same tree with null in place of NaN and the infinities."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [without_nan(item) for item in value]
    return value


class AnswerAnyway(DefaultContentNegotiation):
    """A client that accepts only something else gets the view's first format all the same."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable:
            return renderers[0], renderers[0].media_type
