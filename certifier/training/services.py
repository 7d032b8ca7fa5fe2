"""Every write of this room: asking for a training, pausing and resuming, choosing a recipe, leaving runs out, and the
row that says what came of a training."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from django.db.models import Manager, Max
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.unit import Unit, unit_of_work
from certifier.ops import jobs
from certifier.ops.models import Job, Trigger
from certifier.precert import services as precert
from certifier.precert.models import Mode, ModelVersion, State
from certifier.precert.rules import LONGEST_REASON
from certifier.precert.selectors import models_of_system
from certifier.runs.changes import announce

from .errors import BadRuns, PauseConflict, ReasonNeeded, RecipeUnsuited, SameRecipe
from .gate import Ruling
from .models import Act, LeftOut, Outcome, Pause, RecipeChoice, Training
from .needs import elements_of, lack_of
from .recipes import chosen_recipe, find_recipe
from .sample import Plan
from .selectors import KIND, key_of, pause_of

A = TypeVar("A", bound=Act)
LONGEST_WORDS = 4_000
# A run number fits into 63 bits.
MOST_RUN = 2**63


@dataclass(frozen=True)
class Asked:
    """What a training is for: which system, by which job, and who wanted it."""

    system: System
    trigger: Trigger
    job: Job | None = None

    @property
    def by(self) -> User | None:
        return self.job.requested_by if self.job else None


@dataclass(frozen=True)
class Learned:
    """A model that was made, as an artifact in a folder, and what the gate said about it.

    `champion` and `mode` are those it was compared under.
    """

    folder: Path
    digest: str
    ruling: Ruling
    champion: ModelVersion | None
    mode: Mode
    noise: Mapping[str, float]


def ask(*, actor: User | None, system: System, trigger: Trigger = Trigger.PERSON, week: str = "") -> Job:
    """Let a system be trained as soon as a worker has time; coordinators. A job that waits or runs already stays."""
    permissions.require(permissions.can_train(actor))
    arguments = {"system": system.code} | ({"week": week} if week else {})
    return jobs.start(KIND, key=key_of(system), arguments=arguments, actor=actor, trigger=trigger)


def pause(*, actor: User | None, system: System, reason: str) -> Pause:
    """Let a system neither learn nor replace its champion by itself, for a reason; coordinators.

    Who asks for a training still gets one, which then stays in shadow. Raises PauseConflict, ReasonNeeded.
    """
    with unit_of_work(actor) as unit:
        row = _pause(unit, actor, system, reason, is_paused=True)
        unit.audit("training.pause", f"system {system.code}", {"reason": row.reason})
    return row


def resume(*, actor: User | None, system: System, reason: str) -> Pause:
    """Let it learn by itself again; coordinators. Raises PauseConflict, ReasonNeeded."""
    with unit_of_work(actor) as unit:
        row = _pause(unit, actor, system, reason, is_paused=False)
        unit.audit("training.resume", f"system {system.code}", {"reason": row.reason})
    return row


def choose_recipe(*, actor: User | None, system: System, recipe: str, reason: str) -> RecipeChoice:
    """Let the models of a system be made by another recipe from its next training on, for a reason; coordinators.

    Its champion stays until a model of the new recipe passes the gate. Raises RecipeNotFound, SameRecipe, ReasonNeeded,
    and RecipeUnsuited where none of the system's elements is what the recipe looks at, or no run has the luminosity
    that it needs.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_train(actor))
        chosen = find_recipe(recipe)
        reason = _checked(reason)
        _lock(system)
        before = chosen_recipe(system)
        if chosen == before:
            raise SameRecipe(f"{system.code} has the recipe “{chosen.title}” already.")
        lack = lack_of(chosen, system, elements_of(system))
        if lack is not None and lack.is_refused:
            raise RecipeUnsuited(f"{lack.words} Choose another recipe, or send what is lacking first.")
        row = _act(system.recipe_choices, unit, actor, reason, recipe=chosen.name)
        data = {"system": system.code, "recipe": chosen.name, "before": before.name}
        unit.audit("training.choose_recipe", f"system {system.code}", data | {"reason": reason})
        announce(unit, "training.recipe", data=data)
    return row


def leave_out(
    *, actor: User | None, system: System, first_run: int, last_run: int, reason: str, again: bool = False
) -> LeftOut:
    """Let nothing be learned from these runs from the next training on, or with `again` let them be learned from after
    all; coordinators.

    For a time in which what was wrong shows in no histogram and was mended since: whoever learns from it finds that
    data like all others are bad, and can promise nothing. Raises BadRuns, ReasonNeeded.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_train(actor))
        reason = _checked(reason)
        if not 0 < first_run <= last_run < MOST_RUN:
            raise BadRuns("Give the first and the last run, the first not after the last.", field="first_run")
        _lock(system)
        row = _act(
            system.left_out_runs, unit, actor, reason, first_run=first_run, last_run=last_run, is_left_out=not again
        )
        data = {"system": system.code, "first_run": first_run, "last_run": last_run, "left_out": row.is_left_out}
        unit.audit("training.leave_out", f"system {system.code}", data | {"reason": reason})
        announce(unit, "training.left_out", data=data)
    return row


def _checked(reason: str) -> str:
    """Raises ReasonNeeded."""
    reason = reason.strip()
    if not reason:
        raise ReasonNeeded("Say why: a reason is required.", field="reason")
    if len(reason) > LONGEST_REASON:
        raise ReasonNeeded(f"A reason has at most {LONGEST_REASON} characters.", field="reason")
    return reason


def _act(rows: Manager[A], unit: Unit, actor: User | None, reason: str, **columns: Any) -> A:
    """The next of its kind among those of a system, whose row is locked."""
    newest = rows.aggregate(newest=Max("number"))["newest"] or 0
    return rows.create(
        number=newest + 1, reason=reason, by=actor, by_name=unit.actor_name, at=timezone.now(), **columns
    )


def _pause(unit: Unit, actor: User | None, system: System, reason: str, *, is_paused: bool) -> Pause:
    permissions.require(permissions.can_train(actor))
    reason = _checked(reason)
    _lock(system)
    now = pause_of(system)
    if is_paused and now is not None:
        raise PauseConflict(f"{system.code} is paused already, by {now.by_name}.")
    if not is_paused and now is None:
        raise PauseConflict(f"{system.code} is not paused.")
    row = _act(system.training_pauses, unit, actor, reason, is_paused=is_paused)
    announce(unit, "training.pause", data={"system": system.code, "paused": is_paused})
    return row


# --- what came of it ------------------------------------------------------------------------------------------


def done_before(asked: Asked) -> Training | None:
    """What came of this job already: it was given to another worker after it had ended."""
    return Training.objects.filter(job=asked.job).select_related("system").first() if asked.job else None


def record(
    *, actor: User | None, asked: Asked, outcome: Outcome, words: str, took_s: float, planned: Plan | None = None
) -> Training:
    """Write down an attempt that made no model; the installation itself, or coordinators. A job is recorded once."""
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_train(actor))
        _lock(asked.system)
        if (known := done_before(asked)) is not None:
            return known
        return _write(unit, asked, outcome=outcome, words=words, took_s=took_s, **_about(planned))


def conclude(*, actor: User | None, asked: Asked, planned: Plan, learned: Learned, took_s: float) -> Training:
    """Register the model that was made, do as the gate says, and write it down: all of it or nothing.

    Where champion or mode changed since the gate compared, the model is kept in shadow. The installation itself.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_train(actor))
        _lock(asked.system)
        if (known := done_before(asked)) is not None:
            return known
        outcome, words = _as_things_are(asked.system, learned)
        number = _next_number(asked.system)
        version = precert.register_version(
            actor=actor,
            system=asked.system,
            folder=learned.folder,
            digest=learned.digest,
            lineage={"training": number, "labels": planned.counts, "doubts about signatures": dict(learned.noise)},
        )
        act = {Outcome.PROMOTED: precert.promote, Outcome.SHADOW: precert.shadow}.get(outcome)
        if act is not None:
            _retire_shadows(actor, asked.system, version)
            act(actor=actor, version=version, reason=words[:LONGEST_REASON], gate=_in_brief(number, learned.ruling))
        return _write(
            unit, asked, outcome=outcome, words=words, took_s=took_s, challenger=version, champion=learned.champion,
            gate=learned.ruling.figures | {"doubts": dict(learned.noise)}, **_about(planned),
        )  # fmt: skip


def _retire_shadows(actor: User | None, system: System, follower: ModelVersion) -> None:
    """What earlier trainings kept in shadow is asked no more; what a person put there stays."""
    standing = models_of_system(system).standing
    newest = {act.version_id: act for act in standing.acts}
    for act in newest.values():
        if act.state == State.SHADOW and act.by_id is None and act.version_id != follower.pk:
            precert.retire(actor=actor, version=act.version, reason=f"Followed by {follower}.")


def _as_things_are(system: System, learned: Learned) -> tuple[Outcome, str]:
    """What the gate said, or shadow where it spoke of something else: the row of the system is locked by now."""
    now, ruling = models_of_system(system), learned.ruling
    if ruling.outcome != Outcome.PROMOTED:
        return ruling.outcome, ruling.words
    changed = []
    if now.champion != learned.champion:
        changed.append(f"Meanwhile {now.champion or 'no model'} became the champion.")
    if now.mode != learned.mode:
        changed.append(f"Meanwhile {system.code} was switched to mode {now.mode.label}.")
    if (paused := pause_of(system)) is not None:
        changed.append(f"Meanwhile {paused.by_name} paused learning: {paused.reason}")
    if changed:
        return Outcome.SHADOW, " ".join([ruling.words, *changed, "It scores in shadow."])
    return ruling.outcome, ruling.words


def _in_brief(number: int, ruling: Ruling) -> dict[str, Any]:
    """For the page of the model."""
    found: dict[str, Any] = {"training": number}
    for who in ("challenger", "champion", "difference"):
        figure = ruling.figures.get(who, {}).get("auc")
        if figure and figure["value"] is not None:
            found[f"area, {who}"] = f"{figure['value']:.4f} ({figure['low']:.4f} to {figure['high']:.4f})"
    return found


def _about(planned: Plan | None) -> dict[str, Any]:
    if planned is None:
        return {}
    return {"fingerprint": planned.fingerprint, "labels": planned.counts, "extent": planned.extent}


def _write(unit: Unit, asked: Asked, *, outcome: Outcome, words: str, took_s: float, **columns: Any) -> Training:
    row = Training.objects.create(
        system=asked.system,
        number=_next_number(asked.system),
        job=asked.job,
        trigger=asked.trigger,
        outcome=outcome,
        words=words[:LONGEST_WORDS],
        took_s=took_s,
        peak_mb=most_memory_mb(),
        by=asked.by,
        by_name=asked.by.get_username() if asked.by else unit.actor_name,
        at=timezone.now(),
        **columns,
    )
    challenger = row.challenger.number if row.challenger else None
    data = {"system": asked.system.code, "training": row.number, "outcome": str(outcome), "model": challenger}
    unit.audit("training.train", str(row), data | {"id": row.pk, "fingerprint": row.fingerprint})
    announce(unit, "training.done", data=data | {"id": row.pk})
    return row


def _next_number(system: System) -> int:
    newest: int | None = Training.objects.filter(system=system).aggregate(newest=Max("number"))["newest"]
    return (newest or 0) + 1


def _lock(system: System) -> None:
    """One writer after another: the row of the system stays locked until the commit."""
    System.objects.select_for_update(no_key=True).get(pk=system.pk)


def most_memory_mb() -> float:
    """The most that this process has held."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(held / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)
