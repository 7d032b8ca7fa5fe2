"""State as shape + word + colour, so that no state is told by colour alone."""

from __future__ import annotations

import functools
from typing import NamedTuple

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


class Shape(NamedTuple):
    kind: str
    glyph: str
    word: str


SHAPES = {
    "good": Shape("good", "●", "good"),
    "bad": Shape("bad", "■", "bad"),
    "unsure": Shape("unsure", "▲", "unsure"),
    "unseen": Shape("unseen", "○", "not looked at"),
    "unscored": Shape("unscored", "◇", "not scored"),
    # What rooms call their own states: the same shapes under the room's word.
    "signed": Shape("good", "●", "signed"),
    "unchecked": Shape("unseen", "○", "unchecked"),
    "reopened": Shape("unseen", "○", "reopened"),
    "queued": Shape("unscored", "◇", "queued"),
    "running": Shape("unseen", "○", "running"),
    "done": Shape("good", "●", "done"),
    "failed": Shape("bad", "■", "failed"),
}


@register.simple_tag
def mark(state: str, word: str = "", *, hide_word: bool = False, title: str = "") -> SafeString:
    """`{% mark "good" %}`, `{% mark "good" "signed" %}`: the shape of a state and its word.

    `hide_word=True` leaves the word to screen readers and the tooltip. Raises ValueError on an unknown state.
    """
    return _drawn(str(state).lower(), str(word), hide_word, str(title))


@functools.lru_cache(maxsize=1024)
def _drawn(state: str, word: str, hide_word: bool, title: str) -> SafeString:
    """Lists have a mark on every line, and there are few different ones."""
    shape = SHAPES.get(state)
    if shape is None:
        raise ValueError(f"There is no state {state!r}; use one of {', '.join(SHAPES)}.")
    word = word or shape.word
    title = title or (word if hide_word else "")
    return format_html(
        '<span class="mark mark-{}"{}><i class="mark-glyph" aria-hidden="true">{}</i><span{}>{}</span></span>',
        shape.kind,
        format_html(' title="{}"', title) if title else "",
        shape.glyph,
        SafeString(' class="sr"') if hide_word else "",
        word,
    )
