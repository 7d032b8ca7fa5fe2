"""Background work of this room: bringing the queue up to what models say."""

from __future__ import annotations

from celery import shared_task


@shared_task(name="review.find_items")
def find_items() -> dict[str, int]:
    """Items for every scoring that counts now and has none yet."""
    from .intake import find_items as find

    return find()
