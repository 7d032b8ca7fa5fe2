"""The gate: whether a challenger takes the champion's place, decided from numbers and said in words.

Both are compared on the same lumisections, those of the last runs, as each judged them before it had learned from them:
the challenger as copies of it would have when they came, the champion as it does now, or as copies of it did where it
has learned from them since. Whole runs are drawn with replacement, since lumisections of one run resemble each other.

| the challenger is | then |
|---|---|
| first of its system, can score, its area surely above what the recipe asks or a promise on pollution | promoted |
| surely not worse than the champion by what the recipe allows, in area and in precision | promoted |
| not surely worse in either, and good enough for a first model, while the champion has aged | promoted |
| surely worse in area or precision, and perhaps by more than that | rejected |
| surely leaving more to experts than the recipe allows, at the best thresholds or at its own | kept in shadow |
| neither | kept in shadow |
| promising nothing, while the mode is auto or stopped and the champion promises | kept in shadow |
| made while a coordinator has paused learning, or taken the champion away | kept in shadow |

A champion ages: its detectors know what was usual when they learned, and its thresholds stay where they are while
everything drifts. Area and precision do not see that, since they depend on the order of scores alone; what it decides
at its own thresholds does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from certifier.precert.guarantee import read_guarantee
from certifier.precert.models import Mode

from .models import Outcome
from .recipe import Recipe

Array = npt.NDArray[Any]
# Of each interval; a side is missed with half of the rest.
CONFIDENCE: Final = 0.9
REPEATS: Final = 200
FIGURES: Final = ("auc", "average_precision", "grey_zone")
DECIDED: Final = ("automatic", "pollution", "loss")


@dataclass(frozen=True, eq=False)
class Bench:
    """n labelled lumisections that both can be compared on: `weight` is luminosity times what each stands for.

    `champion` is None where there is none to compare with.
    """

    run: Array
    label: Array
    weight: Array | None
    challenger: Array
    champion: Array | None = None
    # Their verdicts as mlcore numbers them; the challenger's thresholds were chosen on these very runs.
    verdicts: Mapping[str, Array] = field(default_factory=dict)
    # Where the champion's verdict is one that it gave in use: its thresholds were not chosen there. Everywhere if None.
    since: Array | None = None

    @property
    def runs(self) -> int:
        return int(np.unique(self.run).size)

    def in_use(self) -> Bench:
        """Those of which the champion spoke in use."""
        if self.since is None:
            return self
        rows = self.since
        return Bench(
            run=self.run[rows],
            label=self.label[rows],
            weight=None if self.weight is None else self.weight[rows],
            challenger=self.challenger[rows],
            champion=None if self.champion is None else self.champion[rows],
            verdicts={name: verdicts[rows] for name, verdicts in self.verdicts.items()},
        )

    @property
    def bad(self) -> int:
        return int(self.label.sum())


@dataclass(frozen=True)
class Circumstances:
    """What the gate must know beside the numbers."""

    system: str
    mode: Mode
    challenger_guarantee: Mapping[str, Any]
    champion_guarantee: Mapping[str, Any] | None = None
    # In words, why nothing is promoted whatever the numbers say: paused, withdrawn, unusable champion.
    held_back: Sequence[str] = ()
    scored: float = 1.0


@dataclass(frozen=True)
class Ruling:
    outcome: Outcome
    reasons: list[str]
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        return " ".join(self.reasons)


def rule(bench: Bench, around: Circumstances, recipe: Recipe) -> Ruling:
    """Promote, keep in shadow or reject. Says why in words, whatever it decides."""
    figures = measure(bench, recipe)
    enough = bench.runs >= recipe.fewest_gate_runs and bench.bad >= recipe.fewest_gate_bad
    if bench.champion is None and (enough or _promises_good(around)):
        outcome, reasons = _first(figures, around, recipe, enough=enough)
    elif not enough:
        outcome, reasons = Outcome.SHADOW, [_too_little(bench, recipe)]
    else:
        outcome, reasons = _compared(figures, around, recipe)
    reasons += _promise(around)
    if outcome == Outcome.PROMOTED and (against := [*around.held_back, *_lost(around)]):
        outcome, reasons = Outcome.SHADOW, [*reasons, *against, "It scores in shadow."]
    return Ruling(outcome, reasons, figures | {"mode": around.mode.value})


def _too_little(bench: Bench, recipe: Recipe) -> str:
    return (
        f"Too little to compare on: {bench.bad:,} bad lumisections in {bench.runs} runs that nothing learned from; "
        f"{recipe.fewest_gate_bad} in {recipe.fewest_gate_runs} are needed."
    )


def _promises_good(around: Circumstances) -> bool:
    return read_guarantee(around.challenger_guarantee).certifies_good


def _first(
    figures: Mapping[str, Any], around: Circumstances, recipe: Recipe, *, enough: bool
) -> tuple[Outcome, list[str]]:
    area = figures["challenger"]["auc"]
    alone = "There is no champion. " if around.champion_guarantee is None else ""
    on = f"{figures['runs']} unseen runs with {figures['bad']:,} bad lumisections"
    said = f"{alone}Its area under the ROC curve is {_range(area)} on {on}"
    if around.scored < 0.5:
        return Outcome.SHADOW, [f"{said}, but it could score only {around.scored:.0%} of them."]
    if enough and area["low"] is not None and area["low"] > recipe.first_auc:
        return Outcome.PROMOTED, [f"{said}, surely above {recipe.first_auc:g}: the first model of {around.system}."]
    promised = read_guarantee(around.challenger_guarantee)
    if promised.certifies_good and (area["high"] is None or area["high"] > recipe.first_auc):
        # Measured on all runs that were looked at as a whole, where the area has only the last of them.
        measured = sum(stratum.lumisections for stratum in promised.strata)
        but = f"its promise is measured on {measured:,} lumisections of {promised.runs} runs"
        return Outcome.PROMOTED, [f"{said}, too little to go by; but {but}: the first model of {around.system}."]
    wanted = f"surely above {recipe.first_auc:g}, or promises something on pollution"
    return Outcome.SHADOW, [f"{said}; a first model is promoted when it is {wanted}."]


def _compared(figures: Mapping[str, Any], around: Circumstances, recipe: Recipe) -> tuple[Outcome, list[str]]:
    said, worse, unsure, not_better = [], False, False, False
    for name, called, allowed in (
        ("auc", "Area under the ROC curve", recipe.worse_auc),
        ("average_precision", "Average precision", recipe.worse_precision),
    ):
        new, old, gain = (figures[who][name]["value"] for who in ("challenger", "champion", "difference"))
        low, high = figures["difference"][name]["low"], figures["difference"][name]["high"]
        if gain is None or low is None or high is None:
            said.append(f"{called} cannot be compared.")
            unsure = True
            continue
        said.append(f"{called} {new:.4f}, the champion's {old:.4f}: {_signed(gain)} {_between(low, high)}.")
        worse |= high < 0 and low < -allowed
        unsure |= high < 0 or low < -allowed
        not_better |= high < 0
    where = f"{figures['lumisections']:,} lumisections of {figures['runs']} runs"
    on = f"On {where}, as each judged them before it had learned:"
    if worse:
        return Outcome.REJECTED, [on, *said, "It is worse."]
    broken = _broken(figures["champion"], around)
    aged = [*broken, *_decides_less(figures["champion"], around, recipe)]
    area = figures["challenger"]["auc"]["low"]
    # What no histogram shows makes a champion err as well, and what learned from it is no better.
    if unsure and (not_better or not aged or area is None or area <= recipe.first_auc):
        return Outcome.SHADOW, [on, *said, "That is too uncertain to replace the champion."]
    more = figures["difference"]["grey_zone"]
    if more["low"] is not None and more["low"] > recipe.more_work:
        words = f"But {more['value']:.1%} more would be left to experts {_between(more['low'], more['high'])}."
        return Outcome.SHADOW, [on, *said, words]
    own = figures["difference"].get("automatic")
    if own and own["high"] is not None and own["high"] < -recipe.more_work and not broken:
        words = f"But at its own thresholds it would leave {-own['value']:.1%} more to experts."
        return Outcome.SHADOW, [on, *said, words]
    if unsure:
        return Outcome.PROMOTED, [on, *said, f"It is not surely worse, and the champion has aged: {'; '.join(aged)}."]
    return Outcome.PROMOTED, [on, *said, "It is not worse, and knows more."]


def _broken(champion: Mapping[str, Any], around: Circumstances) -> list[str]:
    """In words, which limit the champion surely no longer keeps at its own thresholds."""
    promised = read_guarantee(around.champion_guarantee or {})
    found = []
    for side in ("pollution", "loss"):
        limits = [each.limit for each in promised.promises if each.side == side]
        shown = champion.get("decided_between", {}).get(side)
        if limits and shown and shown["low"] is not None and shown["low"] > max(limits):
            found.append(f"its {side} is {_percent(shown)} on these runs, and it promises {100 * max(limits):.3g}%")
    return found


def _decides_less(champion: Mapping[str, Any], around: Circumstances, recipe: Recipe) -> list[str]:
    """In words, that the champion surely decides less by itself than when it was calibrated."""
    promised = read_guarantee(around.champion_guarantee or {})
    known = [part for part in promised.strata if part.automatic is not None]
    decided = champion.get("decided_between", {}).get("automatic")
    if not known or not decided or decided["high"] is None:
        return []
    was = float(np.average([part.automatic for part in known], weights=[part.lumisections for part in known]))
    if decided["high"] >= was - recipe.more_work:
        return []
    return [f"it decides {_percent(decided)} of them by itself, {was:.1%} when it was calibrated"]


def _percent(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.1%} ({CONFIDENCE:.0%} between {figure['low']:.1%} and {figure['high']:.1%})"


def _between(low: float, high: float) -> str:
    return f"({CONFIDENCE:.0%} between {_signed(low)} and {_signed(high)})"


def _signed(number: float) -> str:
    """+0.0123, −0.0123, 0.0000."""
    text = f"{number:+.4f}".replace("-", "−")
    return "0.0000" if not text.strip("+−0.") else text


def _promise(around: Circumstances) -> list[str]:
    return [read_guarantee(around.challenger_guarantee).words]


def _lost(around: Circumstances) -> list[str]:
    """Where a promise that people rely on would be lost."""
    before = around.champion_guarantee
    if around.mode == Mode.ASSIST or before is None:
        return []
    if read_guarantee(before).certifies_good and not read_guarantee(around.challenger_guarantee).certifies_good:
        return [
            f"{around.system} is in mode {around.mode.label}, and the champion's promise on pollution would be lost."
        ]
    return []


# --- figures --------------------------------------------------------------------------------------------------


def measure(bench: Bench, recipe: Recipe) -> dict[str, Any]:
    """{"runs", "lumisections", "bad", "first_run", "last_run"}, and of challenger, champion and their difference each
    figure with its interval, null where it is not defined."""
    found: dict[str, Any] = {"runs": bench.runs, "lumisections": int(bench.run.size), "bad": bench.bad}
    if bench.run.size:
        found |= {"first_run": int(bench.run.min()), "last_run": int(bench.run.max())}
    limits = {name: recipe.config.get(name, 0.005) or 0.005 for name in ("pollution", "loss")}
    who = ("challenger",) if bench.champion is None else ("challenger", "champion", "difference")
    found |= {each: {} for each in who}
    for name, figure in _figures(bench, limits).items():
        for each, interval in zip(who, _intervals(bench, figure, len(who)), strict=True):
            found[each][name] = interval
    for each, verdicts in bench.verdicts.items():
        found[each]["decided"] = _decided(bench, verdicts)
    if "difference" in found and len(bench.verdicts) == 2 and bench.runs > 1:
        found["difference"]["automatic"] = _decides_more(bench)
    # Thresholds were chosen on these runs, the champion's own on some of them: of those no interval would mean what it
    # says.
    if "champion" in found and "champion" in bench.verdicts:
        used = bench.in_use()
        if used.runs > 1:
            found["champion"]["decided_between"] = _decided_between(used, used.verdicts["champion"])
    return found


def _decided(bench: Bench, verdicts: Array) -> dict[str, float]:
    """Shares of the luminosity: decided without an expert, wrong among what it calls good, called bad of the good."""
    from mlcore.evaluate import confusion

    table = confusion(verdicts, bench.label, bench.weight)
    return {name: round(getattr(table, name), 5) for name in DECIDED}


def _decides_more(bench: Bench) -> dict[str, float | None]:
    """By how much more the challenger decides without an expert than the champion, each at its own thresholds."""
    from mlcore.evaluate import confusion, intervals_over_runs

    def figures(rows: Array) -> list[float]:
        weight = None if bench.weight is None else bench.weight[rows]
        new, old = (
            confusion(bench.verdicts[who][rows], bench.label[rows], weight).automatic
            for who in ("challenger", "champion")
        )
        return [new - old]

    return _numbers(intervals_over_runs(figures, bench.run, confidence=CONFIDENCE, repeats=REPEATS)[0])


def _decided_between(bench: Bench, verdicts: Array) -> dict[str, dict[str, float | None]]:
    """The same with intervals."""
    from mlcore.evaluate import confusion, intervals_over_runs

    def figures(rows: Array) -> list[float]:
        weight = None if bench.weight is None else bench.weight[rows]
        table = confusion(verdicts[rows], bench.label[rows], weight)
        return [getattr(table, name) for name in DECIDED]

    found = intervals_over_runs(figures, bench.run, confidence=CONFIDENCE, repeats=REPEATS)
    return {name: _numbers(each) for name, each in zip(DECIDED, found, strict=True)}


def _numbers(interval: tuple[float, float, float]) -> dict[str, float | None]:
    value, low, high = (round(number, 5) if np.isfinite(number) else None for number in interval)
    return {"value": value, "low": low, "high": high}


Figure = Callable[[Array, Array], float]


def _figures(bench: Bench, limits: Mapping[str, float]) -> dict[str, Figure]:
    """By name, of (scores, rows). Of the grey zone: the least share to ask about at which the limits are kept."""
    from mlcore.evaluate import auc, average_precision, grey_zone

    def weight(rows: Array) -> Array | None:
        return None if bench.weight is None else bench.weight[rows]

    def least_work(scores: Array, rows: Array) -> float:
        known = scores[rows]
        if not np.isfinite(known).any():
            return float("nan")
        return 1.0 - grey_zone(known, bench.label[rows], weight(rows), **limits).saved

    return {
        "auc": lambda scores, rows: auc(scores[rows], bench.label[rows], weight(rows)),
        "average_precision": lambda scores, rows: average_precision(scores[rows], bench.label[rows], weight(rows)),
        "grey_zone": least_work,
    }


def _intervals(bench: Bench, figure: Figure, count: int) -> list[dict[str, float | None]]:
    """A figure of the challenger, and where there is a champion its own and the difference, all on the same draws."""
    from mlcore.evaluate import intervals_over_runs

    def figures(rows: Array) -> list[float]:
        new = figure(bench.challenger, rows)
        if bench.champion is None:
            return [new]
        old = figure(bench.champion, rows)
        return [new, old, new - old]

    if bench.runs < 2:
        return [{"value": None, "low": None, "high": None}] * count
    found = intervals_over_runs(figures, bench.run, confidence=CONFIDENCE, repeats=REPEATS)
    return [_numbers(interval) for interval in found]


def _range(figure: Mapping[str, float | None]) -> str:
    if figure["value"] is None or figure["low"] is None or figure["high"] is None:
        return "not defined"
    return f"{figure['value']:.4f} ({CONFIDENCE:.0%} between {figure['low']:.4f} and {figure['high']:.4f})"
