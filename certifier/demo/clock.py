"""Playing time: for as long as a block lasts, this process takes it to be another moment.

Whoever plays a year through the services must not write all of it at the same minute. Only `manage.py load_demo` and
the benchmark of the year do so; no server and no worker ever comes here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.utils import timezone


@contextmanager
def standing_at(moment: datetime) -> Iterator[None]:
    """`timezone.now()` says `moment`, and goes on from there as fast as time does."""
    real = timezone.now
    began = real()
    timezone.now = lambda: moment + (real() - began)
    try:
        yield
    finally:
        timezone.now = real
