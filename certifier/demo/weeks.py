"""Living through a season week by week, through the services that people's pages and the workers call.

Every week runs come with their histograms. Of a system whose champion is trusted (mode auto) the machine scores them,
and experts decide what waits in the queue, the blind audit among it; of any other experts read the whole run, record
what they see and sign. On Sunday every system learns, the gate rules, and the audit is looked at. A coordinator lets a
system be automatic when its champion promises something on pollution. After a stop people read by hand what had been
certified without them since the cause began, and automation is switched on again only when that was mended.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from django.utils import timezone

from certifier.accounts.models import System, User
from certifier.defects import services as defects
from certifier.defects.models import Source
from certifier.defects.selectors import run_defects
from certifier.lumi import LumiSet
from certifier.monitoring import services as monitoring
from certifier.monitoring.models import Element
from certifier.ops import jobs
from certifier.ops.models import Trigger
from certifier.precert import services as precert
from certifier.precert.guarantee import read_guarantee
from certifier.precert.models import Mode, Promotion
from certifier.precert.scoring import Scorer
from certifier.precert.selectors import SystemModels, models_of_system, verdicts_of_run
from certifier.precert.unscored import unscored
from certifier.review import intake
from certifier.review import services as review
from certifier.review.deciding import decide
from certifier.review.models import Item, ItemState
from certifier.runs import services as runs
from certifier.runs.models import Run
from certifier.training import services as training
from certifier.training.attempt import attempt
from certifier.training.models import Training
from certifier.training.services import Asked
from certifier.watch.services import check

from .clock import standing_at
from .reading import Habits, Reading, all_of, read
from .season import Season, SeasonRun, name_of

DATASET: Final = "express"
TRUSTED: Final = "The first weeks were read by hand; its promise on pollution is measured on them."
UNSEEN: Final = "What is wrong there shows in no histogram of the system; it is being mended."
FOUND: Final = "The cause was found and mended, and the runs since it began were read by hand and signed."


@dataclass
class Certified:
    """What became of a run of a system: what the machine called good and bad by itself, where people looked, and
    whether they signed it."""

    week: int
    run: SeasonRun
    system: str
    automatic: bool
    good: LumiSet = field(default_factory=LumiSet)
    bad: LumiSet = field(default_factory=LumiSet)
    looked: LumiSet = field(default_factory=LumiSet)
    signed: bool = False


@dataclass(frozen=True)
class People:
    """Who decides for which system, and who coordinates."""

    experts: Mapping[str, User]
    coordinator: User


class Weeks:
    """The weeks of a season. `learning` : the weeks on whose Sundays systems learn; the first of them is the first on
    which anything is trained. `first_only`: a system that has a champion learns no more."""

    def __init__(
        self,
        season: Season,
        people: People,
        *,
        habits: Habits | None = None,
        dataset: str = DATASET,
        learning: Sequence[int] = (),
        first_only: bool = False,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.season, self.people, self.habits = season, people, habits or Habits()
        self.dataset = dataset
        self.learning, self.first_only = frozenset(learning), first_only
        self.facts = dict(facts or {})
        self.systems = {detector.code: System.objects.get(code=detector.code) for detector in season.detectors}
        self.certified: list[Certified] = []
        self.trainings: dict[int, list[Training]] = defaultdict(list)
        self.stopped: dict[str, list[int]] = defaultdict(list)
        self.scorers = {code: Scorer() for code in self.systems}
        # Each training in a process of its own, as a worker does it.
        self.in_own_process = False
        self.last_learning_s = 0.0
        self._readings: dict[tuple[int, str], Reading] = {}
        # Others may be there, of which this season knows nothing.
        self._numbers = {run.number for run in season.runs}

    # -- one week after the other ------------------------------------------------------------------------------

    def live(self, week: int) -> None:
        """A week from its first run to the evening of its Sunday."""
        taken = self.season.of_week(week)
        for run in taken:
            with standing_at(run.ended_at + timedelta(hours=1)):
                self.take(run)
        for run in taken:
            with standing_at(run.ended_at + timedelta(hours=20)):
                self.certify(run)
        sunday = self.season.week_begins(week) + timedelta(days=6, hours=18)
        self.spend_sunday(week, sunday)

    def take(self, run: SeasonRun) -> None:
        """What the run registry and the histogram producers send."""
        facts = self.facts | {
            "lumisections": run.last, "fill": run.fill, "beam": "pp", "energy_gev": 6500.0,
            "started_at": run.started_at.isoformat(), "ended_at": run.ended_at.isoformat(),
        }  # fmt: skip
        runs.put_run(actor=None, run=run.number, facts=facts)
        columns = {
            "recorded_inv_nb": run.recorded.tolist(), "delivered_inv_nb": (run.recorded / 0.96).round(4).tolist(),
            "pileup": run.pileup.tolist(), "duration_s": [60.0] * run.last,
        }  # fmt: skip
        runs.put_lumisections(actor=None, run=run.number, columns=columns)
        runs.put_dataset(actor=None, run=run.number, name=self.dataset, stage="express")
        monitoring.ingest(actor=None, run=run.number, dataset=self.dataset, blocks=list(self.season.blocks(run)))
        self._assign()

    def _assign(self) -> None:
        """Who looks after a new element."""
        of = {name_of(model): detector.code for detector in self.season.detectors for model in detector.models}
        for element in Element.objects.filter(path__in=of, system=None):
            monitoring.change_element(actor=None, element=element, system=of[element.path])

    def certify(self, run: SeasonRun) -> None:
        row = Run.objects.get(number=run.number)
        by_hand = []
        for code, system in self.systems.items():
            models = models_of_system(system)
            if models.champion is None:
                by_hand.append(code)
                continue
            self.score(models, row)
            if models.mode == Mode.AUTO:
                self.decide(run, row, models)
            else:
                by_hand.append(code)
        self.sign(run, row, by_hand)

    def score(self, models: SystemModels, row: Run | None = None) -> None:
        """What the champion has not seen of a run, or of the whole season so far, and the items that come of it."""
        for each in unscored([models.system], row):
            if each.version == models.champion and each.dataset.run.number in self._numbers:
                intake.pull(self.scorers[models.system.code].score(each.version, each.dataset))

    def ask_again(self, system: System) -> None:
        """The champion says what it thinks of all runs so far, and whatever it wonders about is answered. The sweeps do
        so whenever there is a new one; a season is played in half the time when it is done once, at the end."""
        by_number = {run.number: run for run in self.season.runs}
        self.score(models_of_system(system))
        waiting = Item.objects.filter(system=system, state=ItemState.OPEN, run__number__in=by_number)
        for item in waiting.select_related("run", "system").order_by("id"):
            self.answer(by_number[item.run.number], item)

    # -- people -------------------------------------------------------------------------------------------------

    def reading(self, run: SeasonRun, code: str) -> Reading:
        key = (run.number, code)
        if key not in self._readings:
            self._readings[key] = read(self.season, run, code, self.habits)
        return self._readings[key]

    def decide(self, run: SeasonRun, row: Run, models: SystemModels) -> None:
        """What the queue holds of the run, item by item."""
        code = models.system.code
        (verdict,) = verdicts_of_run(row, [models])
        done = Certified(run.week, run, code, True, verdict.good, verdict.bad)
        for item in Item.objects.filter(run=row, system=models.system, state=ItemState.OPEN).order_by("id"):
            done.looked |= item.lumisections
            self.answer(run, item)
        # Of what no model could score somebody reads the histograms that there are.
        done.looked |= row.domain - verdict.good - verdict.bad - verdict.unsure
        self.certified.append(done)

    def answer(self, run: SeasonRun, item: Item) -> None:
        code = item.system.code
        seen = {name: where & item.lumisections for name, where in self.reading(run, code).items()}
        seen = {name: where for name, where in seen.items() if where}
        expert = self.people.experts[code]
        if not seen:
            decide(actor=expert, item=item, verdict="override")
        else:
            decide(actor=expert, item=item, verdict="confirm", lumisections=all_of(seen), defect=list(seen))

    def sign(self, run: SeasonRun, row: Run, codes: list[str]) -> None:
        for code in codes:
            self.read_by_hand(run, row, code, run.ended_at + timedelta(hours=20))
            self.certified.append(Certified(run.week, run, code, False, looked=row.domain, signed=True))

    def read_by_hand(self, run: SeasonRun, row: Run, code: str, at: datetime) -> None:
        """Read the whole run, record what there is and is not recorded yet, and sign it."""
        expert, system = self.people.experts[code], self.systems[code]
        # What waits of it from before is answered by reading it.
        for item in Item.objects.filter(run=row, system=system, state=ItemState.OPEN):
            self.answer(run, item)
        said = self.reading(run, code)
        there = {each.defect: each.present for each in run_defects(row, defects=list(said)).defects} if said else {}
        entries = [
            defects.NewEntry(run=run.number, defect=name, lumisections=left, entered_at=at)
            for name, where in said.items()
            if (left := where - there.get(name, LumiSet()))
        ]
        if entries:
            defects.record_entries(actor=expert, entries=entries, source=Source.PAGE)
        review.sign_off(actor=expert, run=row, system=system, stage="express", at=at)

    def look_again(self, code: str, week: int) -> None:
        """What was certified without people since the cause began."""
        since = self._cause_began(code, week)
        for done in self.certified:
            if done.system == code and not done.signed and done.run.ended_at >= since:
                row = Run.objects.get(number=done.run.number)
                self.read_by_hand(done.run, row, code, timezone.now())
                done.looked, done.signed = row.domain, True

    def as_it_stands(self, done: Certified) -> Certified:
        """With the word of people wherever they have looked by now, and that of the machine elsewhere."""
        said = all_of(self.reading(done.run, done.system)) & done.looked
        return replace(done, good=(done.good - done.looked) | (done.looked - said), bad=(done.bad - done.looked) | said)

    def _known_cause(self, code: str, week: int) -> int | None:
        """The week in which what is silently wrong with a system began, None where nothing is."""
        weeks = (each.week for each in self.season.silent if each.system == code and each.week <= week)
        return min(weeks, default=None)

    def _cause_began(self, code: str, week: int) -> datetime:
        """As the detector's own log tells; else it is the model that decided this week, ever since it was promoted."""
        known = self._known_cause(code, week)
        if known is not None:
            return self.season.week_begins(known)
        acts = Promotion.objects.filter(system=self.systems[code]).order_by("id")
        decided = acts.filter(at__lte=self.season.week_begins(week)).last()
        first = acts.filter(champion=decided.champion).first() if decided else None
        return first.at if first else self.season.monday

    # -- Sundays ------------------------------------------------------------------------------------------------

    def spend_sunday(self, week: int, sunday: datetime) -> None:
        self.last_learning_s = 0.0
        for place, (code, system) in enumerate(self.systems.items()):
            with standing_at(sunday + timedelta(minutes=10 * place)):
                # The audit is looked at whenever there are answers, so before anything is learned from them.
                stops = self.watch(week, code)
                self.leave_out(week, code)
                if week in self.learning and not (self.first_only and models_of_system(system).champion):
                    began = time.monotonic()
                    self.trainings[week].append(self.train(system))
                    self.last_learning_s += time.monotonic() - began
                if not stops:
                    self.trust(week, code)

    def leave_out(self, week: int, code: str) -> None:
        """Of a cause that was found, and that no histogram shows, nothing can be learned but that good data are bad."""
        cause = self._known_cause(code, week)
        if cause is None or week >= self.season.repaired.get(code, 0):
            return
        numbers = [run.number for run in self.season.runs if cause <= run.week <= week]
        if numbers:
            training.leave_out(
                actor=self.people.coordinator, system=self.systems[code], first_run=min(numbers),
                last_run=max(numbers), reason=UNSEEN,
            )  # fmt: skip

    def train(self, system: System) -> Training:
        if not self.in_own_process:
            return attempt(Asked(system, Trigger.SCHEDULE))
        job = training.ask(actor=None, system=system, trigger=Trigger.SCHEDULE)
        jobs.perform(job.pk)
        return Training.objects.select_related("system").get(job=job)

    def watch(self, week: int, code: str) -> bool:
        """Whether the audit stops automation; then people look again."""
        system = self.systems[code]
        if models_of_system(system).mode == Mode.ASSIST or not check(system).stops:
            return False
        self.stopped[code].append(week)
        self.season.repaired[code] = week + 2
        self.look_again(code, week)
        return True

    def trust(self, week: int, code: str) -> None:
        """A coordinator trusts what promises, and not at once again what was stopped."""
        now, chi = models_of_system(self.systems[code]), self.people.coordinator
        if now.champion is None or not read_guarantee(now.champion.guarantee).certifies_good:
            return
        if now.mode == Mode.ASSIST:
            precert.set_mode(actor=chi, system=now.system, mode=Mode.AUTO, reason=TRUSTED)
        elif now.mode == Mode.STOPPED and week >= self.season.repaired.get(code, 0):
            precert.set_mode(actor=chi, system=now.system, mode=Mode.AUTO, reason=FOUND)


# --- against the truth -----------------------------------------------------------------------------------------


@dataclass
class Tally:
    """Luminosity and lumisections, summed over runs of systems."""

    lumisections: int = 0
    looked: int = 0
    called_good: float = 0.0
    bad_called_good: float = 0.0
    good: float = 0.0
    good_called_bad: float = 0.0

    def add(self, season: Season, done: Certified) -> None:
        run, last = done.run, done.run.last
        bad = season.bad(run, done.system).to_mask(last)
        called_good, called_bad = done.good.to_mask(last), done.bad.to_mask(last)
        weight = run.recorded
        self.lumisections += last
        self.looked += len(done.looked)
        self.called_good += float(weight[called_good].sum())
        self.bad_called_good += float(weight[called_good & bad].sum())
        self.good += float(weight[~bad].sum())
        self.good_called_bad += float(weight[called_bad & ~bad].sum())

    @property
    def manual(self) -> float:
        return self.looked / max(self.lumisections, 1)

    @property
    def pollution(self) -> float:
        return self.bad_called_good / self.called_good if self.called_good else float("nan")

    @property
    def loss(self) -> float:
        return self.good_called_bad / self.good if self.good else float("nan")


def tally(season: Season, certified: list[Certified]) -> Tally:
    found = Tally()
    for done in certified:
        found.add(season, done)
    return found


def readers(season: Season, habits: Habits, runs_: list[SeasonRun]) -> tuple[float, float]:
    """(sensitivity, share of good lumisections called bad) of the experts, by lumisection."""
    seen = bad = wrong = good = 0
    for run in runs_:
        for detector in season.detectors:
            truth = season.bad(run, detector.code).to_mask(run.last)
            said = all_of(read(season, run, detector.code, habits)).to_mask(run.last)
            seen, bad = seen + int(np.sum(truth & said)), bad + int(truth.sum())
            wrong, good = wrong + int(np.sum(~truth & said)), good + int((~truth).sum())
    return seen / max(bad, 1), wrong / max(good, 1)
