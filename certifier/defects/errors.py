"""What this room refuses, as types. Every message says what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certifier.audit.errors import CertifierError, Conflict, ErrorItem, NotFound, TooLarge

if TYPE_CHECKING:
    from .models import Entry

# A file of nonsense has as many errors as lines; a reader mends the first of them.
SHOWN_ERRORS = 100


class DefinitionRefused(CertifierError):
    """The definition makes no sense as asked."""


class DefectExists(Conflict):
    """A defect of that name, ignoring case, is there already."""


class DefinitionChanged(Conflict):
    """Somebody changed the definition since it was read."""


class UnknownDefect(NotFound):
    """No defect is called so."""


class UnknownFilter(CertifierError):
    """A question names a defect or system that does not exist."""


class EntriesRefused(CertifierError):
    """At least one of the entries cannot be recorded, so none was. `errors` names each by its index."""

    def __init__(self, errors: list[ErrorItem]) -> None:
        shown = errors[:SHOWN_ERRORS]
        if len(errors) > len(shown):
            shown.append({"message": f"{len(errors) - len(shown)} more errors are not shown. Nothing was recorded."})
        super().__init__(errors[0]["message"], errors=shown)


class EnteredMeanwhile(Conflict):
    """Somebody said something of the same lumisections since the form was shown. `entries`, the earliest first."""

    def __init__(self, entries: list[Entry]) -> None:
        who = ", ".join(dict.fromkeys(entry.user for entry in entries))
        super().__init__(
            f"Meanwhile {who} recorded the same defect on some of these lumisections. Nothing of yours was recorded. "
            "Look at the difference; record again if yours is still to hold."
        )
        self.entries = entries


class NothingToUndo(Conflict):
    """Later entries hold wherever the entry held, or it is taken back elsewhere."""


class UnknownEntry(NotFound):
    """No entry has that number."""


class TooManyEntries(TooLarge):
    """More entries than one request may carry."""


class UploadRefused(CertifierError):
    """At least one line cannot be understood or recorded, so none was. `errors` names each by its line."""

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        errors: list[ErrorItem] = [
            {"field": f"line {number}", "message": f"Line {number}: {message}"} if number else {"message": message}
            for number, message in problems[:SHOWN_ERRORS]
        ]
        if len(problems) > SHOWN_ERRORS:
            errors.append(
                {"message": f"{len(problems) - SHOWN_ERRORS} more errors are not shown. Nothing was recorded."}
            )
        super().__init__(errors[0]["message"], errors=errors)


class UploadTooLarge(TooLarge):
    """An upload above the limit; split it."""


class TagRefused(CertifierError):
    """The tag cannot be made as asked."""


class TagExists(Conflict):
    """A tag of that name, ignoring case, is there already."""


class UnknownTag(NotFound):
    """No tag is called so."""


class EntriesBusy(CertifierError):
    """Somebody is still recording, and has been for too long to wait for."""

    status = 503


class NotPartOfTag(NotFound):
    """The run lies outside a restricted tag."""
