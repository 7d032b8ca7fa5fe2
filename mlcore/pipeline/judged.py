"""What a new model says of runs that it had not learned from, kept so that others can be compared with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlcore.conditions import Conditions, FloatArray


@dataclass(frozen=True, eq=False)
class Judged:
    """What a new model says of the last part, as it would have said when the runs came.

    n lumisections in order of time: `label` (NaN where there is none), `score` by a classifier that has not seen them
    and detectors as they were before each run, `probability`, `verdict`. Only the thresholds were chosen on them.
    """

    conditions: Conditions
    label: FloatArray
    score: FloatArray
    probability: FloatArray
    verdict: npt.NDArray[np.int8]
