"""A state is told by shape, word and colour; nothing it is given can become markup."""

from __future__ import annotations

import pytest

from certifier.web.templatetags.marks import SHAPES, mark
from tests.web.rendering import rendered


@pytest.mark.parametrize(
    ("state", "glyph", "word"),
    [
        ("good", "●", "good"),
        ("bad", "■", "bad"),
        ("unsure", "▲", "unsure"),
        ("unseen", "○", "not looked at"),
        ("unscored", "◇", "not scored"),
    ],
)
def test_it_gives_each_state_its_own_shape_and_word(state: str, glyph: str, word: str) -> None:
    html = rendered("{% mark state %}", state=state)
    assert f'<i class="mark-glyph" aria-hidden="true">{glyph}</i>' in html
    assert f"<span>{word}</span>" in html


def test_it_says_the_rooms_own_word() -> None:
    assert "<span>signed</span>" in rendered('{% mark "good" "signed" %}')
    assert "○" in rendered('{% mark "reopened" %}')


def test_it_keeps_a_hidden_word_for_screen_readers_and_the_tooltip() -> None:
    html = rendered('{% mark "bad" hide_word=True %}')
    assert '<span class="sr">bad</span>' in html
    assert 'title="bad"' in html


def test_it_escapes_words_and_titles() -> None:
    html = rendered("{% mark 'bad' word title=word %}", word='"><script>x</script>')
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_it_refuses_a_state_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="no state 'fine'"):
        mark("fine")


def test_it_never_gives_two_meanings_to_one_shape() -> None:
    kinds: dict[str, set[str]] = {}
    for shape in SHAPES.values():
        kinds.setdefault(shape.glyph, set()).add(shape.kind)
    assert all(len(meanings) == 1 for meanings in kinds.values())
