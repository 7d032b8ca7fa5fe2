"""Labels that came with histograms from elsewhere (ML4DQM dumps), as what they are here: defects and signatures.

A lumisection that a file calls bad gets the defect, one that it calls good loses it, others are left alone. Then the
system is signed for each run of the file: somebody had looked. So training reads them as it reads everything else, and
who doubts them finds whose word they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from certifier.accounts.models import User
from certifier.audit.errors import CertifierError
from certifier.audit.unit import unit_of_work
from certifier.defects import services as defects
from certifier.defects.entry_input import ENTRIES_PER_REQUEST, NewEntry
from certifier.defects.models import Defect, Source
from certifier.defects.naming import key_of
from certifier.defects.resolution import states
from certifier.lumi import LumiSet
from certifier.review import services as review
from certifier.review.models import Stage
from certifier.review.selectors import signed_systems
from certifier.runs.importers import FileRefused, Progress
from certifier.runs.models import Run

PER_QUERY = 10_000


@dataclass(frozen=True)
class RunLabels:
    """Of a run in a file: the lumisections called good and bad. They do not overlap."""

    good: LumiSet
    bad: LumiSet


@dataclass(frozen=True)
class Outcome:
    runs: int
    good: int
    bad: int
    entries: int
    signed: int


def read_labels(path: Path, column: str, progress: Progress) -> dict[int, RunLabels]:
    """One label of an ML4DQM CSV by run, for whichever elements it has. Raises FileRefused naming the place.

    Where elements of one lumisection disagree, it is bad.
    """
    from mlcore.errors import MlcoreError, UnreadableFile
    from mlcore.readers import iterate_ml4dqm_csv

    good: dict[int, list[int]] = {}
    bad: dict[int, list[int]] = {}
    done = 0
    try:
        for piece in iterate_ml4dqm_csv(path):
            label = piece.labels.get(column)
            if label is None:
                known = ", ".join(piece.labels) or "none"
                raise FileRefused(f"there is no label “{column}” in it; its labels are: {known}.")
            conditions = piece.block.conditions
            for found, which in ((good, label == 0), (bad, label == 1)):
                for run in np.unique(conditions.run[which]).tolist():
                    found.setdefault(run, []).extend(conditions.lumisection[which & (conditions.run == run)].tolist())
            done += len(piece.block)
            progress(done, done, "labels read")
    except UnreadableFile as error:
        raise FileRefused(error.reason, line=error.line) from None
    except MlcoreError as error:
        raise FileRefused(str(error)) from None
    sets = {run: LumiSet.from_numbers(bad.get(run, ())) for run in sorted({*good, *bad})}
    return {run: RunLabels(LumiSet.from_numbers(good.get(run, ())) - wrong, wrong) for run, wrong in sets.items()}


def import_labels(
    *, actor: User | None, labels: Mapping[int, RunLabels], defect: str, stage: str, source: str
) -> Outcome:
    """Record and sign, all of it or nothing; who may record the defect and sign the stage. The same again changes
    nothing. Raises FileRefused where a run or the defect is not known."""
    if stage not in Stage.values:
        raise FileRefused(f"“{stage[:40]}” is no stage. Choose one of {', '.join(Stage.values)}.")
    row = Defect.objects.filter(name_key=key_of(defect), expression=None).select_related("system").first()
    if row is None:
        raise FileRefused(f"there is no primary defect “{defect[:100]}”. Define it first.")
    runs = _runs(labels)
    comment = f"labels of {source}"
    with unit_of_work(actor) as unit:
        entries = list(_entries(row, runs, labels, comment))
        for start in range(0, len(entries), ENTRIES_PER_REQUEST):
            part = entries[start : start + ENTRIES_PER_REQUEST]
            defects.record_entries(actor=actor, entries=part, source=Source.IMPORT)
        signed = _sign(actor, row, runs, stage, comment)
        outcome = Outcome(
            runs=len(runs),
            good=sum(len(each.good) for each in labels.values()),
            bad=sum(len(each.bad) for each in labels.values()),
            entries=len(entries),
            signed=signed,
        )
        if entries or signed:
            unit.audit("training.import_labels", f"defect {row.name}", {"source": source, **outcome.__dict__})
    return outcome


def _runs(labels: Mapping[int, RunLabels]) -> dict[int, Run]:
    numbers = list(labels)
    found: dict[int, Run] = {}
    for start in range(0, len(numbers), PER_QUERY):
        rows = Run.objects.filter(number__in=numbers[start : start + PER_QUERY]).defer("attributes")
        found |= {row.number: row for row in rows}
    for number, of_run in labels.items():
        run = found.get(number)
        if run is None:
            raise FileRefused(f"run {number} is not known. Import its histograms first, with --create-runs.")
        beyond = (of_run.good | of_run.bad) - run.domain
        if beyond:
            raise FileRefused(f"run {number} ends at lumisection {run.last_lumisection}, the file has {beyond}.")
    return found


def _entries(defect: Defect, runs: Mapping[int, Run], labels: Mapping[int, RunLabels], comment: str) -> list[NewEntry]:
    """Only what is not so already."""
    numbers = {run.pk: number for number, run in runs.items()}
    present = {number: LumiSet() for number in runs}
    for pk, recorded in states(runs=list(numbers), up_to=None, defects=[defect.pk]):
        if defect.pk in recorded:
            present[numbers[pk]] = LumiSet.from_bits(recorded[defect.pk].present)
    found = []
    for number, of_run in labels.items():
        for where, is_present in ((of_run.bad - present[number], True), (of_run.good & present[number], False)):
            if where:
                found.append(
                    NewEntry(run=number, defect=defect.name, lumisections=where, present=is_present, comment=comment)
                )
    return found


def _sign(actor: User | None, defect: Defect, runs: Mapping[int, Run], stage: str, comment: str) -> int:
    """Sign what is not signed at or after the stage; how many runs."""
    signed = signed_systems([run.pk for run in runs.values()], stage)
    open_runs = [run for run in runs.values() if defect.system_id not in signed[run.pk]]
    for run in open_runs:
        try:
            review.sign_off(actor=actor, run=run, system=defect.system, stage=stage, comment=comment)
        except CertifierError as error:
            raise FileRefused(f"run {run.number} cannot be signed: {error}") from None
    return len(open_runs)
