"""A scientific library for certifying data: scores, calibration, selective decisions, monitoring.

It is empty so far: the detectors arrive with the second milestone. What holds from the first day is the border, kept by
import-linter: nothing in here may import Django, Celery or `certifier`, so that it works in a notebook.
Scores, once there are any: higher = worse, NaN = cannot score.
"""

from __future__ import annotations
