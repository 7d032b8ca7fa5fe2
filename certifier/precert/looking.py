"""What a model's detectors say of one element of a run, and how its networks learned. Only workers come here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from certifier.audit.errors import CertifierError
from certifier.lumi import LumiSet
from certifier.monitoring.models import Element
from certifier.monitoring.selectors import conditions_of, coverage_of_run, histograms
from certifier.runs.models import Dataset
from certifier.runs.selectors import lumisection_times

from . import files
from .errors import NothingToScore
from .looks import ERRORS, FORECAST, READINGS, what_of
from .models import ModelVersion

Say = Callable[[float, str], None]
LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
# Lumisections whose readings are shown one by one.
MOST_LUMISECTIONS: Final = 12
DIGITS: Final = 6


class NothingToShow(CertifierError):
    """The model says nothing of this element in this run; the message says why."""


def look(version: ModelVersion, dataset: Dataset, element: Element, lumisections: LumiSet, say: Say) -> dict[str, Any]:
    """As `what_of` says; `lumisections` whose readings are wanted, the oddest of the run where there are none.

    Raises NothingToShow, NothingToScore, ModelUnusable, HistogramsLost.
    """
    from mlcore.pipeline.inputs import gather

    what = what_of(version, element)
    if not what:
        raise NothingToShow(f"{version} has no detector that could show more of {element.path} than its score.")
    run = dataset.run
    say(0.1, f"reading histograms of run {run.number}")
    covered = [each for each in coverage_of_run(run).get(dataset, []) if each.element.system_id == version.system_id]
    if not covered or not run.last_lumisection:
        raise NothingToScore(version.system.code, run.number, dataset.name)
    blocks = histograms(run, covered)
    say(0.3, f"loading {version}")
    model = files.load(version)
    numbers = np.arange(1, run.last_lumisection + 1)
    inputs = gather(list(blocks.values()), conditions_of(run, numbers, times=lumisection_times(run)))
    say(0.5, "working out what was to be expected")
    show = {FORECAST: _forecast, READINGS: _readings, ERRORS: _errors}[what]
    found = show(model, inputs, element.path, lumisections)
    if found is None:
        raise NothingToShow(
            f"{version} has not learned {element.path}, or something that it needs beside it is missing."
        )
    return {"what": what, "model": str(version), "run": run.number, **found}


def _forecast(model: Any, inputs: Any, path: str, lumisections: LumiSet) -> dict[str, Any] | None:
    """A quantity per lumisection and the quantiles of its forecast, made of what was before it in the run."""
    for member in model.layer_.members:
        table = inputs.get(member.element)
        if not hasattr(member.detector, "columns_") or path not in member.detector.columns_ or table is None:
            continue
        quantiles = member.detector.quantiles(table, LEVELS)[:, member.detector.columns_.index(path)]
        values = table.values[:, table.names.index(path)]
        known = np.isfinite(values)
        outside = known & ((values < quantiles[:, 0]) | (values > quantiles[:, -1]))
        return {
            "lumisection": table.conditions.lumisection[known].tolist(),
            "value": _plain(values[known]),
            "levels": list(LEVELS),
            "quantiles": [_plain(column) for column in quantiles[known].T],
            "outside": str(LumiSet.from_numbers(table.conditions.lumisection[outside].tolist())),
        }
    return None


def _readings(model: Any, inputs: Any, path: str, lumisections: LumiSet) -> dict[str, Any] | None:
    """The share of readings outside their forecast along the run, and the readings of a few lumisections."""
    members = [each for each in model.layer_.members if each.element == path and hasattr(each.detector, "train_")]
    block = inputs.blocks.get(path)
    if not members or block is None:
        return None
    block = block.select(~block.missing)
    quantiles = members[0].detector.quantiles(block, LEVELS)
    readings = np.asarray(block.flat, dtype=np.float64)
    known = np.isfinite(quantiles[..., 0])
    off = known & ((readings < quantiles[..., 0]) | (readings > quantiles[..., -1]))
    share = np.where(known.any(axis=1), off.sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.nan)
    rows = _rows(block.conditions.lumisection, share, lumisections)
    seconds = block.axes[0].centres
    return {
        "lumisection": block.conditions.lumisection.tolist(),
        "share": _plain(share),
        "expected_share": 1.0 - (LEVELS[-1] - LEVELS[0]),
        "shown": block.conditions.lumisection[rows].tolist(),
        "time": _plain(
            (block.conditions.lumisection[rows][:, None] + (seconds / block.axes[0].edges[-1])[None]).ravel()
        ),
        "value": _plain(readings[rows].ravel()),
        "levels": list(LEVELS),
        "quantiles": [_plain(quantiles[rows, :, place].ravel()) for place in range(len(LEVELS))],
    }


def _rows(numbers: Any, share: Any, wanted: LumiSet) -> Any:
    """Rows of the lumisections that are asked for, or around the one with most readings outside."""
    chosen = np.flatnonzero(np.isin(numbers, list(wanted.numbers())))[:MOST_LUMISECTIONS]
    if len(chosen):
        return chosen
    worst = int(np.argmax(np.nan_to_num(share, nan=-1.0)))
    return np.arange(max(worst - MOST_LUMISECTIONS // 2, 0), min(worst + MOST_LUMISECTIONS // 2, len(numbers)))


def _errors(model: Any, inputs: Any, path: str, lumisections: LumiSet) -> dict[str, Any] | None:
    """The error of every element that the autoencoder sees together with this one, its limit, and the spikes."""
    from mlcore.course import error_course

    for member in model.layer_.members:
        table = inputs.get(member.element)
        if not hasattr(member.detector, "limits_") or table is None or path not in member.detector.groups_:
            continue
        course = error_course(member.detector, table, int(inputs.conditions.run[0])).as_json()
        for each in course["elements"]:
            each["error"] = [None if value is None else float(f"{value:.{DIGITS}g}") for value in each["error"]]
        return course
    return None


def curves(version: ModelVersion) -> dict[str, Any]:
    """Of every network of a model that keeps how it learned. Raises NothingToShow, ModelUnusable."""
    model = files.load(version)
    parts = [(member.title, member.detector) for member in model.layer_.members]
    parts += [("classifier", model.classifier_)] if model.classifier_ is not None else []
    found = []
    for title, detector in parts:
        kept, loss = getattr(detector, "curves_", None), getattr(detector, "loss_", None)
        if kept is not None:
            found.append({"title": title, **{name: _digits(values) for name, values in kept.as_json().items()}})
        elif loss is not None:
            found.append({"title": title, "loss": _plain(np.asarray(loss))})
    if not found:
        raise NothingToShow(f"{version} holds no network that keeps how it learned.")
    return {"model": str(version), "curves": found}


def _plain(values: Any) -> list[float | None]:
    """As JSON: null for what is not known."""
    return _digits([value if np.isfinite(value) else None for value in np.asarray(values, dtype=np.float64).tolist()])


def _digits(values: list[float | None]) -> list[float | None]:
    return [None if value is None else float(f"{value:.{DIGITS}g}") for value in values]
