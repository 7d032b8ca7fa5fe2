"""What can go wrong with a request, as types. REST and pages turn them into answers in one place each."""

from __future__ import annotations

from typing import TypedDict


class ErrorItem(TypedDict, total=False):
    index: int
    field: str
    message: str


class CertifierError(Exception):
    """Something the user can mend; the message says what to do next. `status` is its HTTP status."""

    status = 400

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        index: int | None = None,
        errors: list[ErrorItem] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if errors is None:
            item: ErrorItem = {}
            if index is not None:
                item["index"] = index
            if field is not None:
                item["field"] = field
            item["message"] = message
            errors = [item]
        self.errors = errors


class NotFound(CertifierError):
    """What was named does not exist."""

    status = 404


class Conflict(CertifierError):
    """The request contradicts what is there now."""

    status = 409


class PreconditionFailed(CertifierError):
    """The row was changed since the client read it."""

    status = 412


class TooLarge(CertifierError):
    """More than one request may carry; split it."""

    status = 413
