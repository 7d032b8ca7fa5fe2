"""A scientific library for certifying data: detectors, system models, selective decisions, and their bounds.

Nothing in here may import Django, Celery or `certifier` (import-linter says so): it works in a notebook. Scores are
higher = worse, and NaN = cannot score. docs/mlcore.md walks through it; decision 0008 says what its values are.
"""

from __future__ import annotations
