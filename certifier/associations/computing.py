"""Associations of one defect with all features of its system, or of one element with all defects of its system."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from certifier.audit.errors import CertifierError
from certifier.defects.logic_at import logic_at
from certifier.monitoring.models import Element
from certifier.monitoring.selectors import find_element
from mlcore.associate import FEWEST_AFFECTED, Association, associate
from mlcore.errors import MlcoreError

from .gathering import Gathered, Say, gather

SHOWN: Final = 30


class NothingToCompare(CertifierError):
    """Too little is known for an association; the message says what is missing."""


def of_defect(name: str, say: Say) -> dict[str, Any]:
    """Raises NothingToCompare."""
    meaning = logic_at().definitions.find(name)
    if meaning is None:
        raise NothingToCompare(f"There is no defect “{name}” any more.")
    elements = list(Element.objects.filter(system=meaning.system).order_by("path"))
    if not elements:
        raise NothingToCompare(f"{meaning.system_code} has no monitoring element to compare with.")
    gathered = gather(elements, say)
    if gathered.table is None:
        raise NothingToCompare(f"No run has a histogram of {meaning.system_code} yet.")
    say(0.9, "comparing")
    mask = gathered.masks([meaning.name])[meaning.name]
    try:
        found = associate(gathered.table, mask)
    except MlcoreError as error:
        raise NothingToCompare(f"{_capital(error)}") from None
    lines = [_line(each, each.p_family, _label(each)) for each in found]
    return _result(gathered, lines, affected=int(mask.sum()), looked_at=len(found))


def of_element(path: str, say: Say) -> dict[str, Any]:
    """With every primary defect of the system that is present in these runs; `p_family` over features and defects.

    Raises NothingToCompare.
    """
    element = find_element(path)
    if element.system is None:
        raise NothingToCompare(f"{path} belongs to no system, so no defect can be compared with it.")
    gathered = gather([element], say)
    if gathered.table is None:
        raise NothingToCompare(f"No run has a histogram of {path} yet.")
    definitions = logic_at().definitions
    names = [each.name for each in definitions.primaries() if each.system == element.system_id]
    masks = {
        name: mask
        for name, mask in gathered.masks(names).items()
        if FEWEST_AFFECTED <= mask.sum() <= len(mask) - FEWEST_AFFECTED
    }
    if not masks:
        raise NothingToCompare(
            f"No defect of {element.system.code} is present in at least {FEWEST_AFFECTED} of the "
            f"{len(gathered.table)} lumisections with this histogram."
        )
    lines = []
    for done, (name, mask) in enumerate(masks.items()):
        say(0.5 + 0.5 * done / len(masks), f"comparing with {name}")
        try:
            found = associate(gathered.table, mask)
        except MlcoreError as error:
            raise NothingToCompare(_capital(error)) from None
        # Over the defects as well (Bonferroni): any of them could have been the one that seems to move.
        lines += [_line(each, min(1.0, len(masks) * each.p_family), _label(each), defect=name) for each in found]
    lines.sort(key=lambda line: (line["p_family"], line["p"], -abs(line["area"] - 0.5)))
    affected = int(np.logical_or.reduce(list(masks.values())).sum())
    return _result(gathered, lines, affected=affected, looked_at=len(lines), defects=len(masks))


def _capital(error: MlcoreError) -> str:
    message = str(error).removeprefix("associate: ")
    return f"{message[0].upper()}{message[1:]}"


def _label(each: Association) -> str:
    return each.feature.rpartition(":")[2]


def _line(each: Association, p_family: float, label: str, *, defect: str = "") -> dict[str, Any]:
    shift = None if each.shift != each.shift else each.shift
    return {
        "element": each.group, "feature": each.feature, "label": label, "defect": defect, "area": each.area,
        "shift": shift, "p": each.p, "p_family": p_family, "q": each.q, "affected": each.affected,
        "others": each.others,
    }  # fmt: skip


def _result(gathered: Gathered, lines: Iterable[dict[str, Any]], **more: int) -> dict[str, Any]:
    assert gathered.table is not None
    numbers = [run.number for run in gathered.runs]
    return {
        "runs": len(numbers),
        "first_run": numbers[0],
        "last_run": numbers[-1],
        "lumisections": len(gathered.table),
        "lines": list(lines)[:SHOWN],
        **more,
    }
