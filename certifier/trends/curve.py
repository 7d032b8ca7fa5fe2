"""A curve through the points of a picture with errors that were counted, and how far y depends on x at all.

What learns it is imported only when somebody asks for one: a web process starts without scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlcore.errors import MlcoreError

from .drawing import Picture

if TYPE_CHECKING:
    from mlcore.trending.relation import Relation

METHODS: Final = {"bootstrap": "bootstrap of the curve", "measured": "measured around it"}
# From where points are dense to where they are sparse.
PLACES: Final = {1: ("everywhere",), 2: ("dense", "sparse"), 3: ("dense", "between", "sparse")}


@dataclass(frozen=True)
class Counted:
    """A method, and by place how often points that it had not seen lay in its inner band: share and error."""

    words: str
    shares: tuple[tuple[float, float], ...]
    is_drawn: bool
    holds: bool


@dataclass(frozen=True)
class Curve:
    """`refusal` says why there is none."""

    relation: Relation | None
    refusal: str = ""

    @classmethod
    def of(cls, picture: Picture) -> Curve:
        from mlcore.trending.relation import relation

        points = picture.points
        if points.x is None:
            return cls(None, "A curve needs an x: write y : x.")
        try:
            return cls(relation(points.x, points.y, picture.table.run[points.rows]))
        except MlcoreError as problem:
            return cls(None, f"There is no curve: {problem}")

    @property
    def places(self) -> tuple[str, ...]:
        return PLACES[len(self.relation.counted.distance)] if self.relation else ()

    @property
    def counted(self) -> list[Counted]:
        if self.relation is None:
            return []
        from mlcore.trending.relation import holds

        return [
            Counted(
                METHODS[name],
                tuple((100 * each.inside, 100 * each.error) for each in found),
                name == self.relation.method,
                holds(self.relation.counted, name),
            )
            for name, found in self.relation.counted.found.items()
        ]
