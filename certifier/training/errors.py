"""What can go wrong with learning, as types; REST, pages, jobs and the command say it in their own shape."""

from __future__ import annotations

from certifier.audit.errors import CertifierError, Conflict, NotFound


class TrainingNotFound(NotFound):
    """There is no training of that id."""

    def __init__(self, name: object) -> None:
        super().__init__(f"There is no training {name}. The trainings are at trainings/.")


class ReasonNeeded(CertifierError):
    """Who pauses, resumes or chooses a recipe says why."""


class PauseConflict(Conflict):
    """It is paused already, or not paused."""


class BadRuns(CertifierError):
    """Which runs are meant is not clear."""


class BadRecipe(CertifierError):
    """TRAINING_RECIPE says something that no recipe has."""


class RecipeNotFound(NotFound):
    """There is no recipe of that name."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"There is no recipe “{name[:60]}”. There are: {', '.join(known)}.")


class SameRecipe(Conflict):
    """The system has this recipe already."""


class RecipeUnsuited(Conflict):
    """The system has no element that a detector of the recipe looks at."""


class TooFewLabels(Conflict):
    """There is not enough to learn from; the message says what is missing."""


class TrainingFailed(CertifierError):
    """The attempt ended without a model; the message says why, and what to do."""

    status = 500


class NeedsMoreMemory(TrainingFailed):
    """The process was ended because it held more memory than it may."""

    def __init__(self, limit_mb: int, held_mb: float) -> None:
        super().__init__(
            f"It needs more than {limit_mb:,} MB (it held {held_mb:,.0f} MB) and was ended. Raise TRAINING_MEMORY_MB, "
            "or let it learn from less: most_lumisections in TRAINING_RECIPE."
        )


class TakesTooLong(TrainingFailed):
    """The process was ended because it ran longer than it may."""

    def __init__(self, limit_s: int) -> None:
        super().__init__(
            f"It takes longer than {limit_s:,} s and was ended. Raise TRAINING_TIME_LIMIT_S (and JOB_TIME_LIMIT_S "
            "above it), or let it learn from less: most_lumisections in TRAINING_RECIPE."
        )


class TrainingDied(TrainingFailed):
    """The process ended by itself before it was done."""

    def __init__(self, status: int, said: str) -> None:
        why = f"by signal {-status}" if status < 0 else f"with status {status}"
        super().__init__(f"Its process ended {why} before it was done." + (f" {said}" if said else ""))
