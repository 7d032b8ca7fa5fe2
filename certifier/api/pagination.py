"""Cursor pages: the next page begins after a row, not after a number of rows, so new rows shift nothing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import Field, Model, Q, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.utils.urls import remove_query_param, replace_query_param

from .parsers import storable

LARGEST_PAGE = 1000


@dataclass(frozen=True)
class Key:
    """One column of the order: its path, whether it descends, and the model field that reads its text."""

    path: str
    descending: bool
    field: Field[Any, Any]


@dataclass(frozen=True)
class Cursor:
    """The row a page begins after (or ends before), by the values of its keys."""

    values: tuple[Any, ...]
    backwards: bool


class KeysetPagination(BasePagination):
    """`{"next", "previous", "results"}` in the order of the view's `keyset`: fields, the last one unique.

    Without `keyset` the queryset's own order is used and `pk` is added behind it. `?page_size=` is 1 to 1000.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.address = request.build_absolute_uri()
        self.keys = keys_of(queryset, getattr(view, "keyset", None))
        size = page_size(request.query_params.get("page_size"))
        text = request.query_params.get("cursor")
        cursor = read_cursor(text, self.keys) if text else None
        backwards = bool(cursor and cursor.backwards)
        order = [("-" if key.descending != backwards else "") + key.path for key in self.keys]
        rows = queryset.order_by(*order)
        if cursor:
            rows = rows.filter(beyond(self.keys, cursor))
        page = list(rows[: size + 1])
        more, page = len(page) > size, page[:size]
        if backwards:
            page.reverse()
        self.has_next = backwards or more
        self.has_previous = more if backwards else cursor is not None
        self.page = page
        return page

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self._link(last=True), "previous": self._link(last=False), "results": data})

    def _link(self, *, last: bool) -> str | None:
        if not self.page or not (self.has_next if last else self.has_previous):
            return None
        text = write_cursor(self.page[-1 if last else 0], self.keys, backwards=not last)
        return str(replace_query_param(remove_query_param(self.address, "cursor"), "cursor", text))

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "Where the page begins: take it from `next` or `previous` of another page.",
                "schema": {"type": "string"},
            },
            {
                "name": "page_size",
                "in": "query",
                "required": False,
                "description": "Rows of a page.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": LARGEST_PAGE,
                    "default": api_settings.PAGE_SIZE,
                },
            },
        ]


def page_size(text: str | None) -> int:
    if text is None:
        return api_settings.PAGE_SIZE or 100
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= LARGEST_PAGE):
        raise ValidationError({"page_size": f"Use a whole number from 1 to {LARGEST_PAGE}."})
    return int(text)


def keys_of(queryset: QuerySet[Any], keyset: str | tuple[str, ...] | None) -> tuple[Key, ...]:
    """The columns of the order. ImproperlyConfigured where one can be null: null has no before and after."""
    model: type[Model] = queryset.model
    names = (keyset,) if isinstance(keyset, str) else keyset
    if not names:
        names = tuple(str(name) for name in (queryset.query.order_by or model._meta.ordering or ()))
        if not any(name.lstrip("-") in ("pk", "id") for name in names):
            names = (*names, "-pk" if names and names[-1].startswith("-") else "pk")
    return tuple(Key(name.lstrip("-"), name.startswith("-"), _field(model, name.lstrip("-"))) for name in names)


def _field(model: type[Model], path: str) -> Field[Any, Any]:
    field: Any = None
    for step in path.split("__"):
        try:
            field = model._meta.pk if step == "pk" else model._meta.get_field(step)
        except FieldDoesNotExist as error:
            raise ImproperlyConfigured(f"{model.__name__} has no field {path} to page by.") from error
        model = getattr(field, "related_model", None) or model
    if field.null:
        raise ImproperlyConfigured(f"{path} can be null and cannot be paged by.")
    return field


def beyond(keys: tuple[Key, ...], cursor: Cursor) -> Q:
    """The rows after the cursor: greater in the first key, or equal in it and greater in the next …"""
    condition, equal = Q(), Q()
    for key, value in zip(keys, cursor.values, strict=True):
        side = "lt" if key.descending != cursor.backwards else "gt"
        condition |= equal & Q(**{f"{key.path}__{side}": value})
        equal &= Q(**{key.path: value})
    if len(keys) > 1:  # implied by the rest, but it lets the database start inside an index
        side = "lte" if keys[0].descending != cursor.backwards else "gte"
        condition &= Q(**{f"{keys[0].path}__{side}": cursor.values[0]})
    return condition


def write_cursor(row: Any, keys: tuple[Key, ...], *, backwards: bool) -> str:
    values = [_text(_value(row, key.path)) for key in keys]
    packed = json.dumps(["p" if backwards else "n", *values], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _value(row: Any, path: str) -> Any:
    if isinstance(row, Mapping):
        return row[path]
    for step in path.split("__"):
        row = getattr(row, step)
    return row.pk if isinstance(row, Model) else row


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def read_cursor(text: str, keys: tuple[Key, ...]) -> Cursor:
    """The cursor in `text`, which came from outside. ValidationError for what this program did not write."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        side, *values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if (
            side not in ("n", "p")
            or len(values) != len(keys)
            or not all(isinstance(v, str) and storable(v) for v in values)
        ):
            raise ValueError("not a cursor of this list")
        read = []
        for key, value in zip(keys, values, strict=True):
            read.append(key.field.to_python(value))
            key.field.run_validators(read[-1])
    except (ValueError, TypeError, binascii.Error, RecursionError, DjangoValidationError) as error:
        raise ValidationError(
            {"cursor": "This is no cursor of this list. Take it from “next” or “previous”."}
        ) from error
    return Cursor(tuple(read), backwards=side == "p")
