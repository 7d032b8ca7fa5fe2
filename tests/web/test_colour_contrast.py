"""Every pair of colours that a page puts on each other is readable in both themes (WCAG 2.2 AA)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = Path(__file__).resolve().parents[2] / "static" / "css"
TOKENS = {
    name: {"light": light, "dark": dark}
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", (CSS / "tokens.css").read_text()
    )
}
SURFACES = ["bg", "panel", "line2", "inset"]
WASHES = ["good-wash", "bad-wash", "unsure-wash", "accent-wash"]


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str, theme: str) -> float:
    darker, lighter = sorted(luminance(TOKENS[name][theme]) for name in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("text", ["ink", "ink2", "accent", "good-ink", "bad-ink", "unsure-ink"])
def test_it_keeps_text_readable_on_every_surface(text: str, surface: str, theme: str) -> None:
    assert contrast(text, surface, theme) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "surface"),
    [
        *[(text, wash) for text in ("ink", "ink2") for wash in WASHES],
        *[(f"{state}-ink", f"{state}-wash") for state in ("good", "bad", "unsure")],
        ("accent", "accent-wash"),
        ("accent-ink", "accent"),
        ("accent-ink", "accent-hover"),
    ],
)
def test_it_keeps_text_readable_on_washes_and_buttons(text: str, surface: str, theme: str) -> None:
    assert contrast(text, surface, theme) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("surface", ["bg", "panel", "line2"])
@pytest.mark.parametrize("shape", ["good", "bad", "unsure", "none-ink", "tolerable"])
def test_it_keeps_shapes_visible(shape: str, surface: str, theme: str) -> None:
    assert contrast(shape, surface, theme) >= 3


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_keeps_the_edges_of_controls_visible(theme: str) -> None:
    assert contrast("edge", "panel", theme) >= 3


def test_it_has_no_colour_outside_the_tokens() -> None:
    for sheet in ("base.css", "components.css"):
        text = re.sub(r"/\*.*?\*/", "", (CSS / sheet).read_text(), flags=re.DOTALL)
        text = re.sub(r"light-dark\(#\w+, #\w+\)", "", text)
        assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?![-\w])", text) == []


def test_it_names_only_tokens_that_exist() -> None:
    declared = set(re.findall(r"(--[\w-]+):", (CSS / "tokens.css").read_text()))
    for sheet in CSS.glob("*.css"):
        assert set(re.findall(r"var\((--[\w-]+)\)", sheet.read_text())) <= declared
