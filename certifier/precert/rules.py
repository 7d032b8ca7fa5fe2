"""What stands against an act on the models of a system, in words. Pure functions of what holds now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .guarantee import read_guarantee
from .models import Mode, ModelVersion, Promotion, State

LONGEST_REASON = 2_000


@dataclass(frozen=True)
class Standing:
    """The models of one system as they stand: its acts in order, and what follows from them."""

    acts: Sequence[Promotion]

    @property
    def number(self) -> int:
        """Of the newest act, 0 before the first."""
        return self.acts[-1].number if self.acts else 0

    @property
    def champion(self) -> ModelVersion | None:
        return self.acts[-1].champion if self.acts else None

    def state_of(self, version: ModelVersion) -> State:
        """What a version is to the system. A champion that was followed by another one is retired."""
        newest = next((act for act in reversed(self.acts) if act.version_id == version.pk), None)
        if newest is None:
            return State.CANDIDATE
        state = State(newest.state)
        return State.RETIRED if state == State.CHAMPION and self.acts[-1].champion_id != version.pk else state

    def is_withdrawn(self, version: ModelVersion) -> bool:
        """Whether it was retired by name, not only followed by another champion."""
        newest = next((act for act in reversed(self.acts) if act.version_id == version.pk), None)
        return newest is not None and newest.state == State.RETIRED

    @property
    def paused(self) -> ModelVersion | None:
        """The version that would be the champion if it had not been paused."""
        if not self.acts or self.champion is not None:
            return None
        last = self.acts[-1].version
        return last if self.state_of(last) == State.PAUSED else None

    @property
    def before(self) -> ModelVersion | None:
        """The champion to go back to. Going back again goes further back, not forth."""
        followed = champions_followed(self.acts)[:-1]
        return next((each for each in reversed(followed) if not self.is_withdrawn(each)), None)


def champions_followed(acts: Iterable[Promotion]) -> list[ModelVersion]:
    """The champions one after the other; what was gone back from is left out."""
    followed: list[ModelVersion] = []
    for act in acts:
        if act.state != State.CHAMPION:
            continue
        keys = [version.pk for version in followed]
        if act.is_rollback and act.version_id in keys:
            del followed[keys.index(act.version_id) + 1 :]
        elif not followed or followed[-1].pk != act.version_id:
            followed.append(act.version)
    return followed


def why_not_become(version: ModelVersion, state: State, standing: Standing) -> list[str]:
    """Every reason why a version cannot get that state now; empty when it can."""
    now = standing.state_of(version)
    if now == state and not (state == State.RETIRED and not standing.is_withdrawn(version)):
        return [f"{version} is {state.label} already."]
    if now == State.CHAMPION and state == State.SHADOW:
        return [f"{version} is the champion. Promote another version, or pause it."]
    return []


def why_not_roll_back(system: str, standing: Standing) -> list[str]:
    if standing.before is None:
        return [f"There is no earlier champion of {system} to go back to; promote a version instead."]
    return []


def why_not_pause(system: str, standing: Standing) -> list[str]:
    if standing.champion is None:
        return [f"{system} has no champion that could be paused."]
    return []


def why_not_mode(
    system: str, mode: Mode, now: Mode, champion: ModelVersion | None, *, by_person: bool = True
) -> list[str]:
    """Every reason why the mode cannot be switched to `mode` now; empty when it can."""
    reasons = []
    if mode == now:
        reasons.append(f"{system} is in mode {mode.label} already.")
    if mode == Mode.AUTO:
        if not by_person:
            reasons.append("Auto is switched on by a person, never by the program itself.")
        if champion is None:
            reasons.append(f"{system} has no champion: there is nothing whose word could count. Promote a model first.")
        elif not (guarantee := read_guarantee(champion.guarantee)).certifies:
            reasons.append(f"{champion} certifies nothing, so nothing could count as checked. {guarantee.words}")
    return reasons


def seen_something_else(seen: int | None, standing: Standing) -> list[str]:
    """Whether somebody acted since the page was looked at that this act comes from."""
    if seen is None or seen == standing.number:
        return []
    newest = standing.acts[-1]
    became = f"{newest.version} became {State(newest.state).label}"
    return [f"Meanwhile {newest.by_name} acted: {became}. Nothing was changed; look again."]
