"""One training of one system from beginning to end, in the process that calls it. Harmless to repeat.

1. It waits for its turn: one training at a time.
2. What was said, and which histograms there are, is read; where nothing changed since the last model, that is the end.
3. Labels are doubted, a challenger is trained, and the gate compares it with the champion.
4. Model, promotion and the row that tells of them are written in one transaction. Until then nothing is: whoever kills
   the process leaves nothing half.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from certifier.audit.errors import CertifierError
from certifier.ops.models import Trigger
from certifier.precert import files
from certifier.precert.errors import ModelUnusable
from certifier.precert.models import ModelVersion
from certifier.precert.selectors import SystemModels, models_of_system

from . import services
from .belief import weights_of
from .errors import TooFewLabels, TrainingFailed
from .gate import Bench, Circumstances, rule
from .models import Outcome, Training
from .recipe import recipe_of
from .sample import Array, Plan, Progress, Sample, plan, read
from .selectors import last_learned, pause_of
from .services import Asked, Learned
from .turn import turn

if TYPE_CHECKING:
    from mlcore.pipeline import Judged, SystemConfig


def attempt(asked: Asked, progress: Progress = lambda share, words: None) -> Training:
    """Train a system, unless there is nothing new to learn. What came of it is a row, also when it fails.

    Raises TrainingFailed after the row of a failure was written.
    """
    with turn(lambda: progress(0.0, "waiting for another training to end")):
        began = time.monotonic()

        def record(outcome: Outcome, words: str, planned: Plan | None = None) -> Training:
            took = time.monotonic() - began
            return services.record(actor=None, asked=asked, outcome=outcome, words=words, took_s=took, planned=planned)

        if (known := services.done_before(asked)) is not None:
            return known
        try:
            return _attempt(asked, progress, record, began)
        except TooFewLabels as error:
            return record(Outcome.TOO_FEW, str(error))
        except CertifierError as error:
            record(Outcome.FAILED, str(error))
            raise TrainingFailed(str(error)) from error
        except Exception as error:
            words = f"{type(error).__name__}: {error}"
            record(Outcome.FAILED, words)
            raise TrainingFailed(words) from error


def _attempt(asked: Asked, progress: Progress, record: Callable[..., Training], began: float) -> Training:
    system = asked.system
    paused = pause_of(system)
    if paused is not None and asked.trigger == Trigger.SCHEDULE:
        return record(Outcome.PAUSED, f"{paused.by_name} has paused learning: {paused.reason}")
    recipe = recipe_of(system)
    config = recipe.system_config(system)
    progress(0.02, "looking what there is to learn from")
    planned = plan(system, recipe)
    if reasons := planned.why_too_few():
        return record(Outcome.TOO_FEW, " ".join(reasons), planned)
    before = last_learned(system)
    if before is not None and before.fingerprint == planned.fingerprint:
        words = f"Labels, histograms and recipe are those of training {before.number}, which made {before.challenger}."
        return record(Outcome.UNCHANGED, words, planned)
    sample = read(planned, lambda share, words: progress(0.05 + 0.25 * share, words))
    with tempfile.TemporaryDirectory(prefix="certifier-training-") as place:
        learned = _learn(planned, sample, config, Path(place) / "model", progress)
        progress(0.95, "writing it down")
        return services.conclude(
            actor=None, asked=asked, planned=planned, learned=learned, took_s=time.monotonic() - began
        )


def _learn(planned: Plan, sample: Sample, config: SystemConfig, folder: Path, progress: Progress) -> Learned:
    """A challenger in a folder, and the gate's word on it. Raises TooFewLabels."""
    from mlcore.artifacts import save
    from mlcore.errors import TooFewData
    from mlcore.pipeline import train_and_judge

    system, recipe = planned.system, planned.recipe
    progress(0.3, f"looking for labels that contradict the rest, of {len(sample):,} lumisections")
    weights, noise = weights_of(sample, recipe, config)
    progress(0.5, f"learning from {len(sample):,} lumisections")
    try:
        model, judged = train_and_judge(
            sample.blocks,
            sample.label,
            recipe.with_shares(config, sample.confirmed),
            weights=weights,
            confirmed=sample.confirmed,
            stands_for=sample.stands_for,
            families=sample.defect,
            conditions=sample.conditions,
        )
    except TooFewData as error:
        raise TooFewLabels(str(error)) from error
    progress(0.8, "comparing it with the champion")
    models = models_of_system(system)
    bench, around = compare(models, sample, judged, model.guarantee_)
    manifest = save(model, folder)
    return Learned(folder, manifest.digest, rule(bench, around, recipe), models.champion, models.mode, noise)


# --- what the gate is told ------------------------------------------------------------------------------------


def compare(
    models: SystemModels, sample: Sample, judged: Judged, guarantee: dict[str, Any]
) -> tuple[Bench, Circumstances]:
    """Both models on labelled lumisections of the last runs, as each judged them before it had learned from them."""
    champion = models.champion
    held_back = _held_back(models)
    rival: Rival | None = None
    if champion is not None:
        try:
            rival = Rival(champion)
        except ModelUnusable as error:
            held_back.append(f"The champion cannot be asked. {error}")
    place = sample.conditions.rows_of(judged.conditions)
    unseen = True if rival is None else rival.told_of(judged) | rival.has_not_seen(judged)
    rows = np.flatnonzero(sample.settled[place] & unseen)
    scores: dict[str, Array] = {"challenger": judged.score[rows]}
    verdicts: dict[str, Array] = {"challenger": judged.verdict[rows]}
    if rival is not None and rows.size:
        scores["champion"], verdicts["champion"] = rival.asked(sample, judged, rows)
    bench = Bench(
        run=judged.conditions.run[rows],
        label=judged.label[rows].astype(np.int64),
        weight=_weights(sample, place[rows]),
        challenger=scores["challenger"],
        champion=scores.get("champion"),
        verdicts=verdicts,
        since=None if rival is None else rival.has_not_seen(judged)[rows],
    )
    around = Circumstances(
        system=models.system.code,
        mode=models.mode,
        challenger_guarantee=guarantee,
        champion_guarantee=champion.guarantee if champion else None,
        held_back=held_back,
        scored=float(np.isfinite(judged.score[rows]).mean()) if rows.size else 0.0,
    )
    return bench, around


class Rival:
    """The champion, to be compared with. What it learned from it is not asked about: there counts what copies of it
    said before they had, which it keeps. Raises ModelUnusable."""

    def __init__(self, champion: ModelVersion) -> None:
        self.model = files.load(champion)
        self.kept: Judged | None = getattr(self.model, "judged_", None)
        steps = [champion.lineage.get(name) for name in ("classifier", "calibration", "final")]
        # Whoever registered it may have said anything of where it comes from.
        last = [step.get("last_run") for step in steps if isinstance(step, dict)]
        self.last = max((run for run in last if isinstance(run, int)), default=0)

    def has_not_seen(self, judged: Judged) -> Array:
        """(n,) runs after the last that its classifier and calibration learned from."""
        return np.asarray(judged.conditions.run > self.last)

    def told_of(self, judged: Judged) -> Array:
        """(n,) what it keeps a word on."""
        if self.kept is None:
            return np.zeros(len(judged.conditions), dtype=bool)
        return self.kept.conditions.rows_of(judged.conditions) >= 0

    def asked(self, sample: Sample, judged: Judged, rows: Array) -> tuple[Array, Array]:
        """Scores and verdicts of these rows: what it says now of those that it has not seen, asked run by run as in
        use, else what it said then."""
        from mlcore.evaluate import UNSURE

        wanted = judged.conditions.select(rows)
        score, verdict = np.full(rows.size, np.nan), np.full(rows.size, UNSURE, dtype=np.int8)
        fresh = self.has_not_seen(judged)[rows]
        if fresh.any():
            there = np.isin(sample.conditions.run, np.unique(wanted.run[fresh]))
            whole = sample.conditions.select(there)
            found = self.model.score(sample.blocks_of(np.flatnonzero(there)), conditions=whole)
            place = whole.rows_of(wanted.select(fresh))
            score[fresh], verdict[fresh] = found.score[place], found.verdict[place]
        if self.kept is not None and not fresh.all():
            place = self.kept.conditions.rows_of(wanted.select(~fresh))
            score[~fresh], verdict[~fresh] = self.kept.score[place], self.kept.verdict[place]
        return score, verdict


def _weights(sample: Sample, rows: Array) -> Array | None:
    """Luminosity, as often as each stands for others; what is not known counts as typical."""
    recorded = sample.conditions.luminosity[rows]
    known = np.isfinite(recorded)
    if not known.any() or not np.nanmax(recorded) > 0:
        return np.asarray(sample.stands_for[rows])
    typical = np.median(recorded[known])
    return np.asarray(np.where(known, np.maximum(recorded, 0.0), typical) * sample.stands_for[rows])


def _held_back(models: SystemModels) -> list[str]:
    """Why nothing is promoted whatever the numbers say: a person decided so."""
    found = []
    if (paused := pause_of(models.system)) is not None:
        found.append(f"{paused.by_name} has paused learning: {paused.reason}")
    acts = models.standing.acts
    if acts and models.champion is None and acts[-1].by_id is not None:
        last = acts[-1]
        became = last.get_state_display()
        found.append(f"{last.by_name} decided that {last.version} is {became}; only a person promotes another one.")
    return found
