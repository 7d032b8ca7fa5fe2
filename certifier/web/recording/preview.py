"""What an entry would change, before anybody records it: on the strip, for virtual defects, for the good-run list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from certifier.defects.effects import Change, Effect, SameEffect, change_of, effects, together
from certifier.defects.entry_input import KnownDefect, NewEntry
from certifier.defects.logic_at import Meaning
from certifier.defects.resolution import State
from certifier.goodruns.changed_list import ListEffect, effect_on_current_list
from certifier.lumi import LumiSet
from certifier.runs.models import Run
from certifier.runs.profile import profile_of

SHOWN_EFFECTS = 6
SHOWN_LANES = 4
NOTHING = State(0, 0, 0)


@dataclass(frozen=True)
class PreviewLane:
    """A lane of the strip that shows what would become different."""

    key: str
    name: str
    intolerable: bool
    parts: list[tuple[LumiSet, str, str]]
    changed: LumiSet


class Preview:
    """Of one entry. Raises EntriesRefused as recording does."""

    def __init__(self, run: Run, entry: NewEntry) -> None:
        self.run = run
        self.entry = entry
        # Whoever is still typing has not come to the comment yet.
        self.change: Change = change_of(run, [entry], comments_demanded=False)
        self.profile = profile_of(run)

    @property
    def lumisections(self) -> LumiSet:
        return self.change.resolved[0].lumisections

    @property
    def defect(self) -> KnownDefect:
        return self.change.resolved[0].defect

    @property
    def meaning(self) -> Meaning | None:
        return self.change.logic.definitions.find(self.defect.name)

    @cached_property
    def effects(self) -> list[Effect]:
        return effects(self.change, self.profile)

    @cached_property
    def groups(self) -> list[SameEffect]:
        return together(self.effects)

    @property
    def shown(self) -> list[SameEffect]:
        return self.groups[:SHOWN_EFFECTS]

    @property
    def more(self) -> int:
        return max(0, len(self.groups) - SHOWN_EFFECTS)

    @cached_property
    def on_list(self) -> ListEffect | None:
        return effect_on_current_list(self.change, self.profile)

    @property
    def chosen_inv_nb(self) -> float | None:
        value, known = self.profile.sum("recorded_inv_nb", self.lumisections)
        return value if known else None

    @property
    def already(self) -> LumiSet:
        """Where it is so already."""
        before = self.change.before.get(self.defect.pk, NOTHING)
        held = before.present if self.entry.present else before.absent
        if self.entry.present:
            held = held & before.recoverable if self.entry.recoverable else held & ~before.recoverable
        return LumiSet.from_bits(held & self.lumisections.bits)

    # -- on the strip ---------------------------------------------------------------------------------------------

    @cached_property
    def lanes(self) -> list[PreviewLane]:
        """The defect itself as it would be, then what would change by it, the most far-reaching first."""
        after = self.change.after.get(self.defect.pk, NOTHING)
        kind = "int" if self.meaning is not None and self.meaning.intolerable else "tol"
        present = LumiSet.from_bits(after.present & self.run.domain.bits)
        own = [(present, kind, "as it would be"), (self.lumisections, "ghost", "what you record")]
        intolerable = self.meaning is not None and self.meaning.intolerable
        lanes = [PreviewLane("preview:0", self.defect.name, intolerable, own, self.lumisections)]
        virtual = [one for one in self.effects if one.virtual]
        for place, one in enumerate(virtual[: SHOWN_LANES - 1], 1):
            parts = [
                (one.becomes_present, "loss", "becomes present"),
                (one.becomes_absent, "gain", "becomes absent"),
            ]
            changed = one.becomes_present | one.becomes_absent
            lanes.append(PreviewLane(f"preview:{place}", one.defect, one.intolerable, parts, changed))
        return lanes

    @property
    def data(self) -> dict[str, Any]:
        """For the script of the strip, in the manner of `strip_data`."""
        return {
            lane.key: {
                "name": lane.name,
                "intolerable": lane.intolerable,
                "parts": [[kind, str(where), word] for where, kind, word in lane.parts if where],
            }
            for lane in self.lanes
        }
