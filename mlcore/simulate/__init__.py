"""A detector that never existed: fills, runs, drift, planted defects with known truth, human label noise."""

from __future__ import annotations
