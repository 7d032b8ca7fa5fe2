"""Where defects are in many runs now: what draws and compares asks of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from certifier.lumi import LumiSet
from certifier.runs.models import Run

from .logic_at import logic_at
from .resolution import states


def present_in(runs: Sequence[Run], names: Collection[str]) -> dict[int, dict[str, LumiSet]]:
    """By run number and name, where each of these defects is present; primary or virtual, named as they are spelled.

    Also of runs without any entry: a negation may hold there.
    """
    logic, definitions = logic_at()
    virtual = [name for name in names if definitions[name].is_virtual]
    said = dict(states(runs=[run.pk for run in runs], up_to=None))
    found = {}
    for run in runs:
        of_run = said.get(run.pk, {}).items()
        named = {definitions.by_defect[pk].name: state.present for pk, state in of_run if pk in definitions.by_defect}
        evaluation = logic.evaluate(named, run.domain, only=virtual)
        found[run.number] = {name: evaluation.present(name) for name in names}
    return found
