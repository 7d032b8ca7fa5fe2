"""What a model can show beside its verdicts: forecasts of quantities and signals, errors of an autoencoder along a run,
and how its networks learned.

Which of these there is for an element stands in the manifest of a model. The numbers are worked out by a worker, who
has what models need (`looking`); they are the result of its job, which pages draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from django.db.models import Max

from certifier.monitoring.models import Element, Part
from certifier.ops.models import LIVE, Job, JobState
from certifier.runs.models import Dataset

from .models import ModelVersion

LOOK, CURVES = "precert.look", "precert.curves"
FORECAST, READINGS, ERRORS = "forecast", "readings", "errors"
# Names of detectors that know more than a score, and what; and of networks that keep how they learned.
KNOWS: Final = {"rates": FORECAST, "pulses": READINGS, "elements_autoencoder": ERRORS}
LEARNED: Final = frozenset({"occupancy_cnn", "elements_autoencoder", "channel_net"})
PRESCALE: Final = "/prescale"


def looks_at(detector: Mapping[str, Any], element: Element) -> bool:
    """Whether a detector of a configuration is meant for an element: `DetectorConfig.looks_at` of mlcore, without what
    that loads."""
    unit = element.axes[0]["unit"]
    return (
        any(fnmatchcase(element.path, pattern) for pattern in detector.get("elements", ("*",)))
        and bool(detector.get("quantities", False)) == element.is_quantity
        and detector.get("axes") in {None, len(element.axes)}
        and detector.get("unit") in {None, unit}
    )


def what_of(version: ModelVersion, element: Element) -> str:
    """FORECAST, READINGS or ERRORS: what this model can show of an element; empty for nothing."""
    if version.system_id != element.system_id or element.path.endswith(PRESCALE):
        return ""
    for detector in detectors_of(version):
        if detector["name"] in KNOWS and looks_at(detector, element):
            return KNOWS[detector["name"]]
    return ""


def learned_by_epochs(version: ModelVersion) -> bool:
    """Whether a network of it learned epoch by epoch and keeps how."""
    names = {detector["name"] for detector in detectors_of(version)} | {
        version.manifest.get("config", {}).get("classifier")
    }
    return bool(names & LEARNED)


def detectors_of(version: ModelVersion) -> Sequence[Mapping[str, Any]]:
    """As they stand in the manifest; none where an artifact says nothing of them."""
    config = version.manifest.get("config")
    return config.get("detectors", ()) if isinstance(config, Mapping) else ()


@dataclass(frozen=True)
class Asked:
    """The newest job that came to its end, and the newest of all where that is another."""

    done: Job | None
    later: Job | None

    @property
    def result(self) -> dict[str, Any] | None:
        return self.done.result if self.done is not None and isinstance(self.done.result, dict) else None

    @property
    def is_live(self) -> bool:
        return self.later is not None and self.later.state in LIVE


def key_of(version: ModelVersion, dataset: Dataset, element: Element, lumisections: str) -> str:
    """Another one as soon as other histograms come."""
    parts = Part.objects.filter(dataset=dataset, element__system=element.system_id)
    newest = parts.aggregate(newest=Max("id"))["newest"]
    return f"{LOOK}:{version.pk}:{dataset.pk}:{newest}:{element.pk}:{lumisections}"[:200]


def asked(kind: str, key: str) -> Asked:
    among = Job.objects.filter(kind=kind, key=key).select_related("requested_by")
    last = among.first()
    done = last if last is None or last.state == JobState.DONE else among.filter(state=JobState.DONE).first()
    return Asked(done, None if last is done else last)


def key_of_curves(version: ModelVersion) -> str:
    return f"{CURVES}:{version.pk}"
