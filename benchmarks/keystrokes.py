"""A person at a browser, by the keystroke-level model of Card, Moran and Newell: what they do is done, and counted.

P to point, B to press or release a button, H from keyboard to mouse and back, M to think; K, a key, is given by who
types and by what is typed: words, or names and numbers.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

# Seconds.
P, B, H, M = 1.1, 0.1, 0.4, 1.35
SKILLED_K: Final = {"word": 0.20, "code": 0.20}
SLOWER_K: Final = {"word": 0.28, "code": 0.50}


@dataclass
class Hand:
    """Does what a person does, and counts it. It begins with the hands on the keyboard."""

    page: Page
    counts: Counter[str] = field(default_factory=Counter)
    waited: float = 0.0
    _at: str = "keyboard"

    def think(self) -> None:
        self.counts["M"] += 1

    def type(self, text: str, kind: str) -> None:
        self._move("keyboard")
        self.counts[f"K {kind}"] += len(text)
        self.page.keyboard.type(text)

    def press(self, *keys: str) -> None:
        """Keys one after the other; Control+Enter is two."""
        self._move("keyboard")
        for key in keys:
            self.counts["K word"] += len(key.split("+")) if len(key) > 1 else 1
            self.page.keyboard.press(key)

    def paste(self, text: str) -> None:
        self._move("keyboard")
        self.counts["K word"] += 2
        self.page.keyboard.insert_text(text)

    def click(self, what: Locator) -> None:
        self._move("mouse")
        self.counts["P"] += 1
        self.counts["B"] += 2
        self.counts["clicks"] += 1
        what.click()

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self._move("mouse")
        self.counts["P"] += 2
        self.counts["B"] += 2
        self.counts["drags"] += 1
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(*end, steps=4)
        self.page.mouse.up()

    def tap(self, place: tuple[float, float]) -> None:
        self._move("mouse")
        self.counts["P"] += 1
        self.counts["B"] += 2
        self.counts["clicks"] += 1
        self.page.mouse.click(*place)

    def hold(self, key: str) -> None:
        self.counts["K word"] += 1
        self.page.keyboard.down(key)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """An act that brings another page."""
        self.counts["page loads"] += 1
        with self.waiting():
            yield

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """An act and, in the block, what has to be there before the next."""
        began = time.perf_counter()
        yield
        self.waited += time.perf_counter() - began

    def _move(self, where: str) -> None:
        if where != self._at:
            self.counts["H"] += 1
            self._at = where

    def seconds(self, key: Mapping[str, float]) -> float:
        """The person's, by the keystroke-level model."""
        counts = self.counts
        keys = sum(counts[f"K {kind}"] * seconds for kind, seconds in key.items())
        return keys + counts["P"] * P + counts["B"] * B + counts["H"] * H + counts["M"] * M


class Strip:
    """Where lumisections are on the screen."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.settle()

    def settle(self) -> None:
        """After zoom or pan; two frames of drawing are not waited for by anybody."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        box, self.view = self.page.evaluate(
            "() => { const box = document.querySelector('.strip-host').getBoundingClientRect();"
            " return [[box.x, box.y, box.width, box.height], window.strip.now.view]; }"
        )
        self.x, self.y, self.width, self.height = box

    @property
    def pixels(self) -> float:
        return float(self.width / (self.view[1] - self.view[0]))

    @property
    def first(self) -> int:
        return round(self.view[0] + 0.5)

    @property
    def last(self) -> int:
        return round(self.view[1] - 0.5)

    @property
    def edges(self) -> tuple[float, float]:
        return self.x + 0.03 * self.width, self.x + 0.97 * self.width

    @property
    def y_of_numbers(self) -> float:
        return float(self.y + 6)

    def at(self, lumisection: int) -> tuple[float, float]:
        return self.x + (lumisection - self.view[0]) * self.pixels, self.y + 40
