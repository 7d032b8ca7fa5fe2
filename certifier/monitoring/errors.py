"""What can be wrong with histograms and elements, as types; REST and commands say it in their own shape."""

from __future__ import annotations

from certifier.audit.errors import CertifierError, Conflict, NotFound


class HistogramsRefused(CertifierError):
    """Histograms cannot be stored as they were sent; `errors` names element and lumisection."""


class ElementRefused(CertifierError):
    """An element cannot be changed as asked; `errors` names the field."""


class ElementNotFound(NotFound):
    """There is no monitoring element of that path."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"There is no monitoring element “{path[:80]}”. It comes with its first histograms.", field="element"
        )


class DatasetNotFound(NotFound):
    """The run has no dataset of that name."""

    def __init__(self, run: int, name: str) -> None:
        super().__init__(f"Run {run} has no dataset “{name[:80]}”.", field="dataset")


class HistogramsLost(Conflict):
    """A stored file is missing or damaged. What it held counts as not there until it is sent again."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The stored file {name} is missing or damaged. Restore it from the backup, or send its histograms again."
        )
