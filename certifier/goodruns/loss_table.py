"""The loss table as a value: what was lost, to which systems and defects, and how it is kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from .building import LeftOut
from .luminosity import NOTHING, Luminosity, total

NOT_SIGNED = "not signed off"
NOT_IN_TAG = "not part of the tag"
OTHER = "for another reason"

# What a lumisection is charged to: (system code, defect). System "" is a reason that belongs to no system.
Account = tuple[str, str]


@dataclass(frozen=True)
class Charge:
    """One line of the table: what was lost to one defect, or to a missing signature."""

    system: str
    defect: str
    lost: Luminosity
    recoverable: Luminosity = NOTHING


def is_defect(account: Account) -> bool:
    """Whether it is a defect, and no other reason: only what a defect takes can a reprocessing bring back."""
    return account[1] not in (NOT_SIGNED, NOT_IN_TAG, OTHER)


@dataclass(frozen=True)
class SystemLoss:
    system: str
    charges: tuple[Charge, ...]

    @property
    def lost(self) -> Luminosity:
        return total(charge.lost for charge in self.charges)

    @property
    def recoverable(self) -> Luminosity:
        return total(charge.recoverable for charge in self.charges)

    @property
    def defects(self) -> tuple[Charge, ...]:
        return tuple(charge for charge in self.charges if charge.defect != NOT_SIGNED)

    @property
    def not_signed_off(self) -> Luminosity:
        return total(charge.lost for charge in self.charges if charge.defect == NOT_SIGNED)


def by_system(charges: Sequence[Charge]) -> tuple[SystemLoss, ...]:
    """The charges put together by system, in their order."""
    codes = dict.fromkeys(charge.system for charge in charges)
    return tuple(SystemLoss(code, tuple(charge for charge in charges if charge.system == code)) for code in codes)


@dataclass(frozen=True)
class LossTable:
    """`selected` = `good` + `lost`, lumisection by lumisection; `lost` is the sum of all charges.

    `selected` are the lumisections of the selected runs, with `flags` only those where all these conditions held.
    `outside` are lumisections of the list that are not among them.
    """

    flags: tuple[str, ...]
    runs: int
    selected: Luminosity
    good: Luminosity
    outside: Luminosity
    charges: tuple[Charge, ...]
    left_out: tuple[LeftOut, ...] = ()
    runs_without_lumisections: int = 0
    runs_without_flags: int = 0
    # Whether the defects are those that the list was built with; otherwise they are today's intolerable ones.
    as_built: bool = True

    @property
    def lost(self) -> Luminosity:
        return total(charge.lost for charge in self.charges)

    @property
    def recoverable(self) -> Luminosity:
        return total(charge.recoverable for charge in self.charges)

    @property
    def systems(self) -> tuple[SystemLoss, ...]:
        return by_system([charge for charge in self.charges if charge.system])

    @property
    def not_signed_off(self) -> Luminosity:
        return total(charge.lost for charge in self.charges if charge.defect == NOT_SIGNED)

    @property
    def elsewhere(self) -> tuple[Charge, ...]:
        """Charges that belong to no system."""
        return tuple(charge for charge in self.charges if not charge.system)

    def to_json(self) -> dict[str, Any]:
        """Everything but `left_out`, which the list itself keeps."""
        return {
            "flags": list(self.flags),
            "runs": self.runs,
            "selected": astuple(self.selected),
            "good": astuple(self.good),
            "outside": astuple(self.outside),
            "charges": [
                [each.system, each.defect, astuple(each.lost), astuple(each.recoverable)] for each in self.charges
            ],
            "runs_without_lumisections": self.runs_without_lumisections,
            "runs_without_flags": self.runs_without_flags,
            "as_built": self.as_built,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], left_out: tuple[LeftOut, ...]) -> LossTable:
        return cls(
            tuple(kept["flags"]),
            kept["runs"],
            Luminosity(*kept["selected"]),
            Luminosity(*kept["good"]),
            Luminosity(*kept["outside"]),
            tuple(
                Charge(system, defect, Luminosity(*lost), Luminosity(*recoverable))
                for system, defect, lost, recoverable in kept["charges"]
            ),
            left_out,
            kept["runs_without_lumisections"],
            kept["runs_without_flags"],
            kept["as_built"],
        )
