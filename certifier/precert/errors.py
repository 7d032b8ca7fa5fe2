"""What can be wrong with models and scorings, as types; REST, pages and commands say it in their own shape."""

from __future__ import annotations

from certifier.audit.errors import CertifierError, Conflict, NotFound


class ModelNotFound(NotFound):
    """There is no model version of that id, or of that number for the system."""

    def __init__(self, name: object) -> None:
        super().__init__(f"There is no model {name}. The models are at models/.")


class NotPossibleNow(Conflict):
    """Models or mode cannot be changed so now; `reasons` says why, one sentence each."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


class ActRefused(CertifierError):
    """The request itself makes no sense; the message says what to send instead."""


class ModelUnusable(Conflict):
    """The stored files of a model are missing, changed, or cannot be read here. Nothing is scored with it."""

    def __init__(self, model: object, folder: str, why: str) -> None:
        super().__init__(
            f"{model} cannot be used: {why} Its folder in the storage is {folder}; restore it from the backup, or "
            "promote another version. What it would have scored stays not scored."
        )


class NotAPartition(ValueError):
    """Good, bad, unsure and unscored do not cover each lumisection of the run exactly once. A fault of the program."""


class NothingToScore(NotFound):
    """There is no histogram of the system in the dataset, or the run has no lumisections."""

    def __init__(self, system: str, run: int, dataset: str) -> None:
        super().__init__(
            f"Run {run} has no lumisections with histograms of {system} in {dataset}. They come with "
            "manage.py import_histograms, or POST runs/…/histograms/."
        )
