"""How a system learns: what its models are made of, how much they learn from, and how strict the gate is.

A coordinator chooses a named recipe of a system (`recipes`). Above it, `TRAINING_RECIPE` changes single settings for
all systems ("*") or one: {"*": {"pollution": 0.01}, "LAR": {"classifier": "none"}}.
Whatever `mlcore.pipeline.SystemConfig` has can be set, and the fields below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from django.conf import settings

from certifier.accounts.models import System

from .errors import BadRecipe
from .recipes import chosen_recipe

if TYPE_CHECKING:
    from mlcore.pipeline import SystemConfig

# Raised when the same data and settings give another model than before, because this room works differently.
VERSION: Final = 3
ALL: Final = "*"
# Lumisections of one run resemble each other: so many count as one (`mlcore.selective` measures it, and at least so).
ALIKE: Final = 5.0
# Of all lumisections, what the calibration gets, and what is kept for the promise.
CALIBRATION: Final = 0.1
# Where this room differs from mlcore: with its four refreshments, the weekly training of a season takes half as long
# again; of the last part alone a promise could hardly ever be measured, once machines decide most of it; and the last
# percents of what could be called good, where the errors lie, cost experts little and keep a limit when data change; a
# model that calls less than half of it good saves nobody's time, and a few errors there would hide what it can do.
DEFAULTS: Final[dict[str, Any]] = {"refresh": 2, "promise": "all", "enough": 0.95, "least": 0.5}
LEAST_LAST, MOST_LAST = 0.15, 0.3


@dataclass(frozen=True)
class Recipe:
    """`config` are fields of SystemConfig that are not its defaults.

    most_lumisections : the newest so many are learned from.
    fewest_runs, fewest_good, fewest_bad : with fewer labels nothing is learned.
    spare : so many times what the promise needs without an error is kept for it, within 15% to 30% of all.
    doubt_folds : of runs, for the predictions by which labels are doubted.
    least_belief : a signature is believed at least so far, however odd; a decision is always believed.
    most_weight : a lumisection that was asked about by chance counts at most as so many when the model learns.
    worse_auc, worse_precision : a challenger may be worse than the champion by less than this.
    more_work : and may leave so much more of all lumisections to experts.
    first_auc : the first model of a system becomes champion when its area is surely above this.
    fewest_gate_runs, fewest_gate_bad : with fewer the gate compares nothing.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    most_lumisections: int = 60_000
    fewest_runs: int = 12
    fewest_good: int = 100
    fewest_bad: int = 20
    spare: float = 2.0
    doubt_folds: int = 4
    least_belief: float = 0.2
    most_weight: float = 10.0
    worse_auc: float = 0.02
    worse_precision: float = 0.05
    more_work: float = 0.05
    first_auc: float = 0.75
    fewest_gate_runs: int = 5
    fewest_gate_bad: int = 10

    def as_json(self) -> dict[str, Any]:
        """Everything that the model follows from; how strict the gate is does not change it."""
        learned = {column.name: getattr(self, column.name) for column in fields(self)}
        for name in ("worse_auc", "worse_precision", "more_work", "first_auc", "fewest_gate_runs", "fewest_gate_bad"):
            del learned[name]
        return {"version": VERSION, **learned}

    def system_config(self, system: System) -> SystemConfig:
        """As mlcore takes it. Raises BadRecipe."""
        from mlcore.errors import MlcoreError
        from mlcore.pipeline import SystemConfig

        try:
            return SystemConfig.from_json({"system": system.code, **self.config})
        except (MlcoreError, TypeError) as problem:
            raise BadRecipe(f"TRAINING_RECIPE of {system.code}: {problem}") from problem

    def with_shares(self, config: SystemConfig, confirmed: npt.NDArray[np.bool_]) -> SystemConfig:
        """With the last part as small as the promise allows, unless the recipe sets shares: what the classifier does
        not see it cannot learn from, so the less of the latest weeks is kept from it the better.

        confirmed : (n,) in order of time, which labels may be used for the promise.
        """
        from mlcore.selective.bounds import clean_needed

        if "shares" in self.config or not confirmed.size:
            return config
        if config.promise == "all":
            first = (1 - CALIBRATION - LEAST_LAST) / 2
            return replace(config, shares=(first, first, CALIBRATION, LEAST_LAST))
        sides = [limit for limit in (config.pollution, config.loss) if limit is not None]
        sure = 1 - (1 - config.confidence) / max(len(sides), 1)
        needed = max((clean_needed(limit, sure) for limit in sides), default=0) * ALIKE * self.spare
        behind = np.cumsum(confirmed[::-1])
        enough = int(np.searchsorted(behind, needed)) + 1
        last = min(max(enough / confirmed.size, LEAST_LAST), MOST_LAST)
        first = (1 - CALIBRATION - last) / 2
        return replace(config, shares=(first, first, CALIBRATION, last))


OWN: Final = frozenset(column.name for column in fields(Recipe)) - {"config"}


def recipe_of(system: System) -> Recipe:
    """What holds for a system: what is set for it, else for all, else its named recipe, else the defaults. Raises
    BadRecipe."""
    chosen: dict[str, Any] = {}
    given: Any = settings.TRAINING_RECIPE
    for name in (ALL, system.code):
        part = given.get(name, {})
        if not isinstance(part, Mapping):
            raise BadRecipe(f"TRAINING_RECIPE of {name} is no JSON object but {part!r}.")
        chosen |= part
    own = {name: value for name, value in chosen.items() if name in OWN}
    for name, value in own.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise BadRecipe(f"TRAINING_RECIPE of {system.code}: {name} is a number from 0, not {value!r}.")
    config = (
        DEFAULTS
        | dict(chosen_recipe(system).config)
        | {name: value for name, value in chosen.items() if name not in OWN}
    )
    return Recipe(config=dict(sorted(config.items())), **own)
