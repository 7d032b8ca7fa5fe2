"""Pictures of what was stored, asked for in one line: `"separation : interaction_rate"`, in the manner of TTree::Draw.

    draw = Draw.parse("recorded / delivered : pileup : run", where="duration > 20", aliases={"mu": "pileup"})
    points = draw.evaluate({"recorded": ..., "delivered": ..., "pileup": ..., "run": ..., "duration": ...})
    profile(points)                     # mean and error of y in bins of x
    band(points.y)                      # what a trend was before, and where it leaves that

Formulas are read by a grammar of their own and computed with numpy: nothing is given to `eval`.
"""

from __future__ import annotations

from .band import Band, band
from .draw import Draw, Points, Profile, profile
from .formula import FUNCTIONS, Formula, FormulaError, parse

__all__ = [
    "FUNCTIONS",
    "Band",
    "Draw",
    "Formula",
    "FormulaError",
    "Points",
    "Profile",
    "band",
    "parse",
    "profile",
]
