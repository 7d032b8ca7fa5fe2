"""Selective certification: automatic verdicts with a bound on pollution and loss, or a refusal in words."""

from __future__ import annotations

from mlcore.evaluate import BAD, GOOD, UNSCORED, UNSURE

from .bounds import clean_needed, design_effect, kish, upper_bound
from .guarantee import ASSUMPTIONS, Guarantee, Part, SideBound
from .likeness import Smoothing
from .policy import SelectivePolicy, pileup_strata
from .sequence import Sequence, loss_sequence, pollution_sequence

__all__ = [
    "ASSUMPTIONS",
    "BAD",
    "GOOD",
    "UNSCORED",
    "UNSURE",
    "Guarantee",
    "Part",
    "SelectivePolicy",
    "Sequence",
    "SideBound",
    "Smoothing",
    "clean_needed",
    "design_effect",
    "kish",
    "loss_sequence",
    "pileup_strata",
    "pollution_sequence",
    "upper_bound",
]
