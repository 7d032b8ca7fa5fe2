"""What can be wrong with runs and lumisections, as types; REST and commands say it in their own shape."""

from __future__ import annotations

from certifier.audit.errors import CertifierError, NotFound, PreconditionFailed


class RunRefused(CertifierError):
    """A fact about a run cannot be stored as it was sent; `errors` names each field (and its place in a list)."""


class LumisectionsRefused(CertifierError):
    """Columns or flags of a run cannot be stored as they were sent; `errors` names each field and position."""


class DatasetRefused(CertifierError):
    """A dataset cannot be stored as it was sent; `errors` names the field."""


class RunNotFound(NotFound):
    """There is no run of that number."""

    def __init__(self, number: object) -> None:
        super().__init__(f"There is no run {number}. Create it first (PUT runs/{number}/).", field="run")


class StaleVersion(PreconditionFailed):
    """The run is not at the version that the client read."""

    def __init__(self, number: int, current: int | None) -> None:
        now = f"is at version {current} now" if current is not None else "does not exist yet"
        super().__init__(f"Run {number} {now}. Read it again, then repeat what is still needed.")
