"""Training curves: what a network's loss and accuracy did, epoch by epoch, on what it learned from and on the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .conditions import FloatArray
from .errors import ShapeError


@dataclass(frozen=True, eq=False)
class TrainingCurves:
    """All of shape (epochs,): mean loss and share of right answers, of what was learned from and of whole runs that
    were only watched. What was not watched is NaN."""

    loss: FloatArray
    watched_loss: FloatArray
    accuracy: FloatArray
    watched_accuracy: FloatArray

    def __post_init__(self) -> None:
        lengths = {one.shape for one in (self.loss, self.watched_loss, self.accuracy, self.watched_accuracy)}
        if len(lengths) != 1:
            raise ShapeError(f"training curves have different lengths: {sorted(lengths)}.")

    def as_json(self) -> dict[str, Any]:
        """What a page plots: lists, with null where nothing was watched."""
        names = ("loss", "watched_loss", "accuracy", "watched_accuracy")
        return {
            name: [float(value) if value == value else None for value in getattr(self, name).tolist()]  # noqa: PLR0124
            for name in names
        }

    def draw(self, plt: Any) -> Any:
        """A figure of matplotlib (`plt` is its pyplot): loss and accuracy against the epoch."""
        figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.0), layout="constrained")
        pairs = ((self.loss, self.watched_loss, "loss"), (self.accuracy, self.watched_accuracy, "accuracy"))
        for axis, (learned, watched, words) in zip(axes, pairs, strict=True):
            epochs = range(1, len(learned) + 1)
            axis.plot(epochs, learned, lw=1.2, label="learned from")
            axis.plot(epochs, watched, lw=1.2, ls="--", label="watched")
            axis.set_xlabel("epoch")
            axis.set_ylabel(words)
            axis.spines[["top", "right"]].set_visible(False)
        axes[0].set_yscale("log")
        axes[0].legend(fontsize=8, frameon=False)
        return figure
