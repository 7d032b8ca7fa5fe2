"""What was worked out stays in this process until the feed tells of something that it depends on.

The feed is gapless and in commit order, and every service announces what it changes. So what is read after the newest
change was looked up holds all that this change tells of, and as long as there is no newer one, it would be read again
as it was. What is remembered must depend on nothing else: not on the person who asks, not on the clock, and on no table
that is written without being announced.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import datetime
from threading import Lock
from typing import Generic, TypeVar

from django.db.models import Q

from .models import Change

Value = TypeVar("Value")
# A number of the feed is given again after a roll-back and in a restored database; its moment is not.
Newest = tuple[int, datetime]


class Remembered(Generic[Value]):
    """Answers by question, the `most` that were asked for last. `kinds` : beginnings of the kinds of changes that make
    all of them old."""

    def __init__(self, *kinds: str, most: int = 8) -> None:
        self._about = Q()
        for kind in kinds:
            self._about |= Q(kind__startswith=kind)
        self._most = most
        self._newest: Newest | None = None
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = Lock()

    def get(self, question: Hashable, work: Callable[[], Value]) -> Value:
        """What `work` answers, or answered when nothing had changed since. One query."""
        newest = self._newest_change()
        if newest is None:
            return work()
        with self._lock:
            if newest != self._newest:
                self._kept.clear()
                self._newest = newest
            elif question in self._kept:
                self._kept.move_to_end(question)
                return self._kept[question]
        answer = work()
        with self._lock:
            # Another thread may have seen something newer in the meantime; then this is old already.
            if newest == self._newest:
                self._kept[question] = answer
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return answer

    def _newest_change(self) -> Newest | None:
        return Change.objects.filter(self._about).order_by("-sequence").values_list("sequence", "at").first()
