"""Every write of this room. All of them only add rows, and of two people who act at once one comes after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.unit import Unit, unit_of_work
from certifier.lumi import LumiSet
from certifier.monitoring.models import Element
from certifier.ops import jobs
from certifier.ops.models import Job
from certifier.runs.changes import announce
from certifier.runs.models import Dataset

from . import files, looks, rules, selectors
from .errors import ActRefused, NotPossibleNow
from .models import PACKED, Finding, Mode, ModelVersion, Promotion, Scoring, State, SystemMode
from .rules import LONGEST_REASON, Standing
from .verdicts import Judgement

# --- models ---------------------------------------------------------------------------------------------------


def register_version(
    *,
    actor: User | None,
    system: System,
    folder: Path,
    digest: str | None = None,
    lineage: Mapping[str, Any] | None = None,
) -> ModelVersion:
    """Take a trained model over from a folder of `mlcore.artifacts`; coordinators and the installation itself.

    It is a candidate then. `digest` is that of the manifest as `mlcore.artifacts.save` answered it; `lineage` is put
    beside what the manifest says of it. The same model again is the version that is there. Raises ArtifactChanged,
    ArtifactUnsafe, ArtifactIncompatible.
    """
    permissions.require(permissions.can_manage_models(actor))
    manifest, content = files.read_folder(folder, digest)
    written: list[str] = []
    try:
        with unit_of_work(actor) as unit:
            _lock(system)
            known = ModelVersion.objects.filter(system=system, digest=manifest.digest).first()
            if known is not None:
                known.already_there = True
                return known
            newest = ModelVersion.objects.filter(system=system).aggregate(newest=Max("number"))["newest"] or 0
            version = ModelVersion(
                system=system,
                number=newest + 1,
                digest=manifest.digest,
                kind=manifest.kind,
                fingerprint=manifest.fingerprint,
                manifest={"format": manifest.format, "created": manifest.created, "libraries": manifest.libraries,
                          "files": manifest.files, "config": manifest.config},
                metrics=manifest.metrics,
                guarantee=manifest.guarantee,
                lineage={**manifest.lineage, **(lineage or {})},
                **_by(unit),
            )  # fmt: skip
            written = files.save(version, content)
            version.save()
            data = {"system": system.code, "model": version.number, "id": version.pk}
            unit.audit("precert.register_model", str(version), data | {"digest": version.digest})
            announce(unit, "precert.model", data=data)
    except BaseException:
        files.remove(written)
        raise
    return version


def promote(
    *,
    actor: User | None,
    version: ModelVersion,
    reason: str = "",
    gate: Mapping[str, Any] | None = None,
    seen: int | None = None,
) -> Promotion:
    """Make a version the champion of its system: from now on it is asked, and its word counts. Coordinators.

    `gate` is what a gate measured before it decided. `seen` is the number of the newest act that was known to who
    decided: if somebody acted since, nothing happens. Raises NotPossibleNow with every reason that stands against it.
    """
    return _become(actor, version, State.CHAMPION, reason=reason, gate=gate, seen=seen)


def shadow(
    *,
    actor: User | None,
    version: ModelVersion,
    reason: str = "",
    gate: Mapping[str, Any] | None = None,
    seen: int | None = None,
) -> Promotion:
    """Let a version score beside the champion, without a say. Coordinators. Raises NotPossibleNow."""
    return _become(actor, version, State.SHADOW, reason=reason, gate=gate, seen=seen)


def retire(*, actor: User | None, version: ModelVersion, reason: str, seen: int | None = None) -> Promotion:
    """Ask a version no more. If it is the champion, the system has none until somebody promotes one. Coordinators."""
    return _become(actor, version, State.RETIRED, reason=_said(reason, "retired"), seen=seen)


def pause(*, actor: User | None, system: System, reason: str, seen: int | None = None) -> Promotion:
    """Ask the champion no more until it is promoted again; nothing counts as checked meanwhile. Coordinators."""
    reason = _said(reason, "paused")
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_manage_models(actor))
        standing = _lock(system)
        _refuse([*rules.seen_something_else(seen, standing), *rules.why_not_pause(system.code, standing)])
        assert standing.champion is not None
        return _act(unit, standing, standing.champion, State.PAUSED, reason)


def roll_back(*, actor: User | None, system: System, reason: str, seen: int | None = None) -> Promotion:
    """Promote the champion before this one again, for a reason. Coordinators. Raises NotPossibleNow.

    Rolling back twice goes two champions back; what was retired by name is passed over.
    """
    reason = _said(reason, "rolled back")
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_manage_models(actor))
        standing = _lock(system)
        _refuse([*rules.seen_something_else(seen, standing), *rules.why_not_roll_back(system.code, standing)])
        assert standing.before is not None
        return _act(unit, standing, standing.before, State.CHAMPION, reason, is_rollback=True)


def _become(
    actor: User | None,
    version: ModelVersion,
    state: State,
    *,
    reason: str,
    gate: Mapping[str, Any] | None = None,
    seen: int | None = None,
) -> Promotion:
    _check_length(reason)
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_manage_models(actor))
        standing = _lock(version.system)
        _refuse([*rules.seen_something_else(seen, standing), *rules.why_not_become(version, state, standing)])
        return _act(unit, standing, version, state, reason, gate=gate)


def _act(
    unit: Unit,
    standing: Standing,
    version: ModelVersion,
    state: State,
    reason: str,
    *,
    gate: Mapping[str, Any] | None = None,
    is_rollback: bool = False,
) -> Promotion:
    before = standing.champion
    after = version if state == State.CHAMPION else before if before != version else None
    act = Promotion.objects.create(
        system=version.system,
        number=standing.number + 1,
        version=version,
        state=state,
        champion=after,
        is_rollback=is_rollback,
        gate=dict(gate or {}),
        reason=reason.strip(),
        **_by(unit),
    )
    data: dict[str, Any] = {
        "system": version.system.code,
        "model": version.number,
        "id": version.pk,
        "state": str(state),
        "champion": after.number if after else None,
    }
    unit.audit("precert.promote", str(version), data | {"reason": act.reason, "rollback": is_rollback})
    announce(unit, "precert.promotion", data=data)
    return act


def set_mode(
    *, actor: User | None, system: System, mode: str, reason: str, bound: Mapping[str, Any] | None = None
) -> SystemMode:
    """Say what the verdicts of a system are worth from now on, and why. Coordinators.

    Auto needs a person, and a champion whose guarantee certifies something. `bound` is which bound or test stopped it,
    in numbers. Raises NotPossibleNow with every reason that stands against it.
    """
    if mode not in Mode.values:
        raise ActRefused(f"“{mode[:40]}” is no mode. Choose one of {', '.join(Mode.values)}.", field="mode")
    chosen, reason = Mode(mode), _said(reason, f"in mode {mode} from now on")
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_set_mode(actor))
        standing = _lock(system)
        now = selectors.models_of_system(system)
        _refuse(rules.why_not_mode(system.code, chosen, now.mode, standing.champion, by_person=actor is not None))
        row = SystemMode.objects.create(
            system=system,
            number=now.mode_row.number + 1 if now.mode_row else 1,
            mode=chosen,
            version=standing.champion,
            bound=dict(bound or {}),
            reason=reason,
            **_by(unit),
        )
        data = {"system": system.code, "mode": str(chosen)}
        unit.audit("precert.set_mode", f"system {system.code}", data | {"reason": reason, "before": str(now.mode)})
        announce(unit, "precert.mode", data=data)
    return row


# --- scorings -------------------------------------------------------------------------------------------------


def record_scoring(
    *,
    actor: User | None,
    version: ModelVersion,
    dataset: Dataset,
    newest_part: int,
    judgement: Judgement,
    took_s: float,
) -> Scoring:
    """Write down what a version says of a dataset, with its findings; the installation itself, or coordinators.

    `newest_part` is the last part that it saw. For the same version, dataset, part and length of the run what is there
    stays: scoring twice changes nothing. Raises NotAPartition.
    """
    judgement.check()
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_score(actor))
        what = {"version": version, "dataset": dataset, "newest_part_id": newest_part, "last": judgement.last}
        if (known := _known(what)) is not None:
            return known
        try:
            with transaction.atomic():
                row = Scoring.objects.create(
                    **what,
                    good=judgement.good,
                    bad=judgement.bad,
                    unsure=judgement.unsure,
                    unscored=judgement.unscored,
                    why_unscored={why: str(where) for why, where in judgement.why_unscored.items()},
                    packed=judgement.scores.astype(PACKED).tobytes(),
                    is_probability=judgement.is_probability,
                    took_s=took_s,
                    at=timezone.now(),
                )
        except IntegrityError:  # another worker scored the same in the same moment
            known = _known(what)
            assert known is not None
            return known
        Finding.objects.bulk_create(_findings(row, judgement))
        _tell(unit, row, judgement)
    return row


def _known(what: Mapping[str, Any]) -> Scoring | None:
    known = Scoring.objects.filter(**what).first()
    if known is not None:
        known.already_there = True
    return known


def _findings(scoring: Scoring, judgement: Judgement) -> Iterable[Finding]:
    for number, stretch in enumerate(judgement.stretches, start=1):
        yield Finding(
            scoring=scoring,
            number=number,
            lumisections=stretch.lumisections,
            verdict=stretch.verdict,
            suspected_defect=stretch.suspected_defect[:200],
            score=stretch.score,
            evidence=dict(stretch.evidence),
        )


def _tell(unit: Unit, row: Scoring, judgement: Judgement) -> None:
    run, system = row.dataset.run, row.version.system
    counts = {name: len(getattr(judgement, name)) for name in ("good", "bad", "unsure", "unscored")}
    data = {"system": system.code, "model": row.version.number, "dataset": row.dataset.name, **counts}
    unit.audit("precert.score", f"run {run.number}", data)
    announce(unit, "precert.scoring", run=run.number, data=data)


# --- what all of them do --------------------------------------------------------------------------------------


def ask_to_look(
    *, actor: User, version: ModelVersion, dataset: Dataset, element: Element, lumisections: LumiSet
) -> Job:
    """Let a worker work out what a model expects of an element; whoever may read. A job that waits or runs stays."""
    permissions.require(permissions.can_view(actor))
    arguments = {
        "model": version.pk, "run": dataset.run.number, "dataset": dataset.name, "element": element.path,
        "lumisections": str(lumisections),
    }  # fmt: skip
    key = looks.key_of(version, dataset, element, str(lumisections))
    return jobs.start(looks.LOOK, key=key, arguments=arguments, actor=actor)


def ask_for_curves(*, actor: User, version: ModelVersion) -> Job:
    """Let a worker read from a model how its networks learned; whoever may read."""
    permissions.require(permissions.can_view(actor))
    return jobs.start(looks.CURVES, key=looks.key_of_curves(version), arguments={"model": version.pk}, actor=actor)


def _lock(system: System) -> Standing:
    """How the models of the system stand. Its row stays locked until the commit, so nobody acts on the same state."""
    System.objects.select_for_update(no_key=True).get(pk=system.pk)
    return selectors.models_of_system(system).standing


def _by(unit: Unit) -> dict[str, Any]:
    return {"by": unit.actor, "by_name": unit.actor_name, "at": timezone.now()}


def _said(reason: str, done: str) -> str:
    _check_length(reason)
    if not reason.strip():
        raise ActRefused(f"Say why it is {done}: a reason is required.", field="reason")
    return reason.strip()


def _check_length(reason: str) -> None:
    if len(reason) > LONGEST_REASON:
        raise ActRefused(f"A reason has at most {LONGEST_REASON} characters.", field="reason")


def _refuse(reasons: list[str]) -> None:
    if reasons:
        raise NotPossibleNow(reasons)
