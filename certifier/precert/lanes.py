"""What machines say of one run, for the run page: a lane below each system, and the list of what is to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from certifier.accounts.models import System
from certifier.lumi import LumiSet
from certifier.runs.models import Run
from certifier.runs.profile import Profile

from .guarantee import read_guarantee
from .hiding import Hidden, drawn_parts
from .models import Finding, Verdict
from .selectors import Parts, RunVerdict, SystemModels, verdicts_of_run


@dataclass(frozen=True)
class FoundHere:
    """A finding, with the recorded luminosity that it is about; None where that is not known."""

    finding: Finding
    system: System
    at_stake_inv_nb: float | None


@dataclass(frozen=True)
class MachineLane:
    """The verdicts of one system's champion along a run."""

    verdict: RunVerdict
    findings: Sequence[FoundHere]

    @property
    def parts(self) -> list[tuple[LumiSet, str, str]]:
        """As `lane_parts` draws them."""
        return drawn_parts(self.verdict.of, self.hidden)

    @property
    def hidden(self) -> Hidden | None:
        """What the person who looks is not told now."""
        return self.verdict.hidden

    @property
    def reading(self) -> str:
        if self.verdict.scoring is None:
            return "not scored"
        if self.findings:
            return f"{len(self.findings)} to review"
        if self.hidden is not None:
            return "nothing else to review"
        return "all good" if not self.verdict.unscored else f"{len(self.verdict.unscored):,} not scored"

    @property
    def thresholds(self) -> list[tuple[str, float]]:
        """Where verdicts begin: good below, bad above. None of a model that decides nothing by itself."""
        version = self.verdict.version
        sides = read_guarantee(version.guarantee).sides if version else []
        kinds = [(Verdict.GOOD if side.side == "pollution" else Verdict.BAD, side.decides_at) for side in sides]
        return list(dict.fromkeys((kind.value, at) for kind, at in kinds if at is not None))

    @property
    def thresholds_words(self) -> str:
        """“0.085 … 0.16”: where good ends and bad begins."""
        return " … ".join(f"{at:.2g}" for _, at in self.thresholds[:2])

    @property
    def title(self) -> str:
        """Which model, in which mode, on which dataset."""
        words = [f"{self.verdict.version}, mode {self.verdict.mode.label}"]
        if self.verdict.scoring is not None:
            words.append(f"on {self.verdict.scoring.dataset.name}")
        if self.verdict.is_stale:
            words.append("histograms came since")
        return "; ".join(words)


class Machine:
    """Everything of this room that a run page shows to `viewer`, in two queries where a system has a champion.

    `models` and `parts` as `models_known` and `datasets_of` answer them.
    """

    def __init__(
        self, run: Run, models: Sequence[SystemModels], profile: Profile, parts: Parts, *, viewer: Any
    ) -> None:
        said = verdicts_of_run(run, models, parts=parts, viewer=viewer)
        verdicts = [one for one in said if one.version is not None]
        found = _findings(verdicts, profile)
        self.lanes = {
            verdict.system.code: MachineLane(verdict, found.get(verdict.system.pk, [])) for verdict in verdicts
        }

    def findings(self, system: System | None = None) -> list[FoundHere]:
        """Of one system or of all: bad before unsure, then what is most luminosity at stake."""
        found = [
            each for lane in self.lanes.values() for each in lane.findings if system is None or each.system == system
        ]
        return sorted(found, key=lambda each: (each.finding.verdict != Verdict.BAD, -(each.at_stake_inv_nb or 0.0)))

    def hidden(self, system: System | None = None) -> list[tuple[System, Hidden]]:
        """Of one system or of all, what the viewer is not told now."""
        lanes = [(lane.verdict.system, lane.hidden) for lane in self.lanes.values()]
        return [(of, what) for of, what in lanes if what is not None and (system is None or of == system)]


def _findings(verdicts: Sequence[RunVerdict], profile: Profile) -> dict[int, list[FoundHere]]:
    """By key of the system. A finding that reaches into what is hidden is hidden as a whole."""
    scorings = {verdict.scoring.pk: verdict.system for verdict in verdicts if verdict.scoring is not None}
    hidden = {each.system.pk: each.hidden.lumisections for each in verdicts if each.hidden is not None}
    found: dict[int, list[FoundHere]] = {}
    for finding in Finding.objects.filter(scoring__in=scorings) if scorings else ():
        system = scorings[finding.scoring_id]
        if finding.lumisections & hidden.get(system.pk, LumiSet()):
            continue
        lumi, known = profile.sum("recorded_inv_nb", finding.lumisections)
        found.setdefault(system.pk, []).append(FoundHere(finding, system, lumi if known else None))
    return found
