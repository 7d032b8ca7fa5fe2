"""A small queue: one run, a champion whose verdicts a test writes down itself, and the items that come of them.

The scorings go through `precert.services` as a worker's do; only the numbers are chosen, so that a test can say where a
finding lies. That real models make such scorings is tested in tests/precert.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils import timezone

from certifier.accounts.models import System
from certifier.defects import services as defects
from certifier.defects.models import Defect
from certifier.lumi import LumiSet
from certifier.monitoring.models import Element, Part
from certifier.precert import services as precert
from certifier.precert.models import ModelVersion, Scoring, Verdict
from certifier.precert.verdicts import Judgement, Stretch
from certifier.review.intake import find_items
from certifier.review.models import Item, Kind
from certifier.runs import services as runs
from certifier.runs.models import Dataset, Run

RUN, LAST = 350479, 100
NOISE, CORRUPT = "LAR_NOISEBURST", "LAR_DATACORRUPT"
SCORES = {Verdict.GOOD: 0.01, Verdict.BAD: 0.99, Verdict.UNSURE: 0.5, Verdict.UNSCORED: np.nan}


def define(system: System) -> dict[str, Defect]:
    new = [defects.NewDefect(name=name, system=system, intolerable=True) for name in (NOISE, CORRUPT)]
    return {row.name: row for row in defects.define_defects(actor=None, definitions=new)}


def take(number: int = RUN, last: int = LAST, *, dataset: str = "express", stage: str = "express") -> Dataset:
    """A run of 100 /nb per lumisection with a dataset."""
    runs.put_run(actor=None, run=number, facts={"lumisections": last})
    runs.put_lumisections(actor=None, run=number, columns={"recorded_inv_nb": [100.0] * last})
    runs.put_dataset(actor=None, run=number, name=dataset, stage=stage)
    return Dataset.objects.select_related("run").get(run__number=number, name=dataset)


def version_of(system: System, number: int = 1) -> ModelVersion:
    """A registered model, whose files no test here opens."""
    known = ModelVersion.objects.filter(system=system, number=number).first()
    return known or ModelVersion.objects.create(
        system=system, number=number, digest=f"{system.pk}:{number}", kind="tests",
        manifest={"files": {}, "libraries": {}, "format": 1}, by_name="tests", at=timezone.now(),
    )  # fmt: skip


def champion(system: System, number: int = 1) -> ModelVersion:
    version = version_of(system, number)
    precert.promote(actor=None, version=version, reason="of a test")
    return version


def part(dataset: Dataset, system: System, lumisections: str | LumiSet) -> Part:
    """Histograms that came: only that they came matters here."""
    element, _ = Element.objects.get_or_create(
        path=f"{system.code}/time", defaults={"axes": [], "created_at": timezone.now(), "system": system}
    )
    return Part.objects.create(
        dataset=dataset, element=element, lumisections=lumisections, file="f", row_group=0, sha256="0" * 64,
        histograms=1, entries=1.0, at=timezone.now(),
    )  # fmt: skip


@dataclass(frozen=True)
class F:
    """A finding to be: F("5-9", "bad", NOISE)."""

    lumisections: str
    verdict: str = "bad"
    suspected: str = NOISE
    score: float | None = None


def score(version: ModelVersion, dataset: Dataset, *findings: F, unscored: str = "", fresh: bool = False) -> Scoring:
    """What the version says of the dataset: findings, and good elsewhere."""
    run = Run.objects.get(pk=dataset.run_id)
    last = run.last_lumisection
    newest = Part.objects.filter(dataset=dataset, element__system=version.system).order_by("-id").first()
    if newest is None or fresh:
        newest = part(dataset, version.system, LumiSet.whole(last))
    sets = {verdict: LumiSet() for verdict in Verdict}
    sets[Verdict.UNSCORED] = LumiSet.parse(unscored)
    stretches = []
    for each in findings:
        where = LumiSet.parse(each.lumisections)
        sets[Verdict(each.verdict)] |= where
        value = SCORES[Verdict(each.verdict)] if each.score is None else each.score
        stretches.append(
            Stretch(where, Verdict(each.verdict), each.suspected, value, {"lumisection": where.first, "elements": []})
        )
    sets[Verdict.GOOD] = run.domain - sets[Verdict.BAD] - sets[Verdict.UNSURE] - sets[Verdict.UNSCORED]
    scores: Any = np.full(last, np.nan)
    for verdict, where in sets.items():
        scores[where.to_mask(last)] = SCORES[verdict]
    judgement = Judgement(
        last=last, good=sets[Verdict.GOOD], bad=sets[Verdict.BAD], unsure=sets[Verdict.UNSURE], scores=scores,
        stretches=stretches,
    )  # fmt: skip
    return precert.record_scoring(
        actor=None, version=version, dataset=dataset, newest_part=newest.pk, judgement=judgement, took_s=0.1
    )


def queue(system: System, *findings: F, number: int = RUN, last: int = LAST) -> list[Item]:
    """The items of a run with these findings, the audit samples among them left out."""
    dataset = take(number, last)
    version = ModelVersion.objects.filter(system=system).first() or champion(system)
    score(version, dataset, *findings)
    find_items()
    return items(system, number)


def items(system: System, number: int = RUN, *, kind: str = "") -> list[Item]:
    """Open items of a run in the order of lumisections; without a kind, the findings."""
    rows = Item.objects.filter(system=system, run__number=number, state="open", finding__isnull=False)
    if kind:
        rows = Item.objects.filter(system=system, run__number=number, state="open", kind=kind)
    return sorted(rows, key=lambda item: item.lumisections.first or 0)


AUDIT = Kind.AUDIT
