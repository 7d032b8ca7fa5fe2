"""Everything that mlcore refuses, as types. Each message says what is wrong where, and what to do."""

from __future__ import annotations


class MlcoreError(ValueError):
    """Base of all refusals of mlcore."""


class ShapeError(MlcoreError):
    """Arrays that belong together do not have the same number of rows, or not the dimensions that are documented."""


class IncompatibleBinning(MlcoreError):
    """Histograms of one element with different axes. Rebin one of them, or treat it as another element."""


class BadCounts(MlcoreError):
    """Counts that no histogram has: negative or infinite."""


class TooFewData(MlcoreError):
    """Not enough lumisections, runs or classes to learn or to certify anything."""


class BadLabels(MlcoreError):
    """Labels that are not 0 (good) and 1 (bad), or only one of them where both are needed."""


class ArtifactError(MlcoreError):
    """A stored model that will not be loaded."""


class ArtifactChanged(ArtifactError):
    """A file of the artifact is missing or does not have the hash of its manifest."""


class ArtifactIncompatible(ArtifactError):
    """The artifact was written by another format version or for a class that is not known here; train it again."""


class ArtifactUnsafe(ArtifactError):
    """The artifact holds something that could run code when loaded."""


class UnreadableFile(MlcoreError):
    """A file that is not what it should be. Says which file, which line (None where there are no lines) and why."""

    def __init__(self, path: object, line: int | None, reason: str) -> None:
        super().__init__(f"{path}{'' if line is None else f', line {line}'}: {reason}")
        self.path, self.line, self.reason = str(path), line, reason


class FileBinning(UnreadableFile, IncompatibleBinning):
    """A file in which one element changes its axes, or whose number of bins is not what it says."""


class FileCounts(UnreadableFile, BadCounts):
    """A file with counts that no histogram has."""
