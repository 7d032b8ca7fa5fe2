"""A model in words: its figures, where it comes from and what it is made of, as pages show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .models import ModelVersion

SHARES: Final = {"scored", "automatic", "pollution", "loss"}
NAMES: Final = {
    "auc": "area under the ROC curve",
    "average_precision": "average precision",
    "calibration_error": "calibration error of P(bad)",
    "pollution": "pollution",
    "loss": "loss",
    "automatic": "decided automatically",
    "scored": "could be scored",
    "lumisections": "lumisections",
    "bad": "bad ones among them",
}
# What training divides its runs into, in the order of time; and what the final copies have learned from.
STEPS: Final = ("detectors", "classifier", "calibration", "guarantee", "final")
LONGEST_VALUE: Final = 200


@dataclass(frozen=True)
class Step:
    """Runs that one part of a model was made from."""

    name: str
    first_run: int | None
    last_run: int | None
    runs: int | None
    lumisections: int | None
    bad: int | None


def figures_of(version: ModelVersion) -> list[tuple[str, str]]:
    """What was measured on runs that the model has not seen: (name, value)."""
    order = {name: place for place, name in enumerate(NAMES)}
    figures = sorted(_flat(version.metrics), key=lambda figure: order.get(figure[0], len(order)))
    return [(NAMES.get(name, name.replace("_", " ")), _figure(name, value)) for name, value in figures]


def headline_of(version: ModelVersion) -> str:
    """The one figure that models are compared by first."""
    auc = version.metrics.get("auc")
    return f"{auc:.4f}" if isinstance(auc, int | float) and not isinstance(auc, bool) else "–"


def steps_of(version: ModelVersion) -> list[Step]:
    """Which runs it was trained, calibrated and judged on."""
    found = []
    for name in STEPS:
        said = version.lineage.get(name)
        if isinstance(said, Mapping):
            columns = ("first_run", "last_run", "runs", "lumisections", "bad")
            numbers = [said.get(column) if isinstance(said.get(column), int) else None for column in columns]
            found.append(Step(name, *numbers))
    return found


def lineage_of(version: ModelVersion) -> list[tuple[str, str]]:
    """Whatever else is said of where it comes from."""
    rest = {name: value for name, value in version.lineage.items() if name not in STEPS}
    return [(name.replace("_", " "), _figure(name, value)) for name, value in _flat(rest)]


def made_of(version: ModelVersion) -> list[tuple[str, str]]:
    """Class, files and the versions of the libraries that wrote them."""
    manifest = version.manifest
    size = sum(entry["bytes"] for entry in manifest["files"].values())
    libraries = " · ".join(f"{name} {number}" for name, number in manifest["libraries"].items())
    return [
        ("class", version.kind.rpartition(":")[2]),
        ("files", f"{len(manifest['files'])}, {size / 1e6:.1f} MB"),
        ("format", str(manifest["format"])),
        ("written by", libraries),
    ]


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name} ")
        else:
            yield f"{above}{name}", value


def _figure(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return str(value)[:LONGEST_VALUE]
    if isinstance(value, int):
        # Runs are names, not amounts.
        return str(value) if "run" in name else f"{value:,}"
    if isinstance(value, float):
        return f"{100 * value:.2f}%" if name in SHARES else f"{value:.4g}"
    return ", ".join(map(str, value))[:LONGEST_VALUE] if isinstance(value, list) else str(value)[:LONGEST_VALUE]
