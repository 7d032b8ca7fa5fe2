"""Histograms to send: small, and different in every bin."""

from __future__ import annotations

from typing import Any

import numpy as np

from certifier.lumi import LumiSet
from certifier.monitoring import services
from certifier.monitoring.services import Ingested
from certifier.runs import services as runs
from certifier.runs.models import Run
from mlcore.conditions import Conditions
from mlcore.histograms import Axis, HistogramBlock

RUN, BEFORE = 350479, 350440
EXPRESS = "express_express"
TIME = Axis.regular("time", 10, -5.0, 5.0, label="cell time", unit="ns")
ETA = Axis.regular("eta", 6, -1.5, 1.5)
PHI = Axis.regular("phi", 8, -np.pi, np.pi, unit="rad", circular=True)


def take(number: int = RUN, lumisections: int = 20) -> Run:
    """A run whose luminosity falls slowly."""
    facts = {"lumisections": lumisections, "period": "L", "fill": 6688}
    runs.put_run(actor=None, run=number, facts=facts)
    recorded = np.linspace(120.0, 80.0, lumisections).tolist()
    columns = {"recorded_inv_nb": recorded, "pileup": [value / 2.5 for value in recorded]}
    runs.put_lumisections(actor=None, run=number, columns=columns)
    return Run.objects.get(number=number)


def histograms(
    element: str = "EcalBarrel/time",
    lumisections: str = "1-20",
    *,
    run: int = RUN,
    level: float = 100.0,
    axes: tuple[Axis, ...] = (TIME,),
    seed: int = 1,
    **more: Any,
) -> HistogramBlock:
    """Poisson counts around `level` per bin."""
    numbers = np.array(list(LumiSet.parse(lumisections).numbers()), dtype=np.int64)
    counts = np.random.default_rng(seed).poisson(level, (len(numbers), *(axis.bins for axis in axes)))
    conditions = Conditions(run=np.full(len(numbers), run), lumisection=numbers)
    return HistogramBlock(element, axes, counts.astype(float), conditions, **more)


def ingest(*blocks: HistogramBlock, run: int = RUN, dataset: str = EXPRESS, **options: Any) -> Ingested:
    return services.ingest(actor=options.pop("actor", None), run=run, dataset=dataset, blocks=blocks, **options)
