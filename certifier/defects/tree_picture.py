"""What a virtual defect depends on, as a picture: from left to right, every line from a defect to what it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .logic_at import Meaning
from .selectors import Branch

COLUMN, ROW, BOX, HEIGHT = 186, 23, 156, 18
LONGEST_NAME = 22
# Beyond this many lines the primary defects below one virtual are drawn as one box.
MOST_ROWS = 24


@dataclass(frozen=True)
class Box:
    """A defect, or several primary ones in one box; `y` is its middle."""

    x: int
    y: float
    text: str
    title: str
    url: str = ""
    virtual: bool = False
    intolerable: bool = False

    @property
    def top(self) -> float:
        return self.y - HEIGHT / 2

    @property
    def middle(self) -> float:
        return self.y + 4


@dataclass
class Picture:
    boxes: list[Box] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    width: int = 0
    height: int = 0
    box_width: int = BOX
    box_height: int = HEIGHT


def picture_of(tree: Branch, address: Callable[[Meaning], str]) -> Picture:
    """The picture of a tree; small ones with every defect, large ones with primary defects put together."""
    picture = Picture()
    _draw(picture, tree, 0, address, together=_leaves(tree) > MOST_ROWS)
    picture.width = max(box.x for box in picture.boxes) + BOX + 2
    picture.height += 4
    return picture


def _leaves(branch: Branch) -> int:
    return sum(map(_leaves, branch.children)) if branch.children else 1


def _draw(picture: Picture, branch: Branch, depth: int, address: Callable[[Meaning], str], *, together: bool) -> float:
    """Draw a branch and all below it; returns the height of its middle."""
    children = [child for child in branch.children if child.meaning.is_virtual or not together]
    hidden = [child.meaning for child in branch.children if not child.meaning.is_virtual] if together else []
    middles = [_draw(picture, child, depth + 1, address, together=together) for child in children]
    if hidden:
        names = ", ".join(meaning.name for meaning in hidden)
        text = hidden[0].name if len(hidden) == 1 else f"{len(hidden)} primary defects"
        y = _next_row(picture)
        picture.boxes.append(Box((depth + 1) * COLUMN, y, _short(text), names))
        middles.append(y)
    y = sum(middles) / len(middles) if middles else _next_row(picture)
    meaning = branch.meaning
    title = meaning.name + (" (unfolded elsewhere)" if branch.again else "")
    picture.boxes.append(
        Box(
            depth * COLUMN, y, _short(meaning.name), title, address(meaning),
            meaning.is_virtual, meaning.intolerable,
        )
    )  # fmt: skip
    start = depth * COLUMN + BOX
    end = (depth + 1) * COLUMN
    bend = (start + end) / 2
    picture.lines += [f"M{start} {y:.1f}C{bend} {y:.1f} {bend} {to:.1f} {end} {to:.1f}" for to in middles]
    return y


def _next_row(picture: Picture) -> float:
    y = picture.height + ROW / 2
    picture.height += ROW
    return y


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
