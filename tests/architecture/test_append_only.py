"""What is append-only refuses to be changed or deleted: in the ORM everywhere, by the database itself on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, models, transaction
from django.utils import timezone

from certifier.accounts.models import System
from certifier.audit.append_only import AppendOnlyError, AppendOnlyModel
from certifier.audit.models import AuditEvent
from certifier.defects.models import Defect, Definition, Entry, LogicVersion, Source, Tag
from certifier.goodruns.models import GoodRunList, GoodRunListRun, ListDocument, Origin
from certifier.monitoring.models import Element, Part
from certifier.precert.models import Finding, ModelVersion, Promotion, Scoring, SystemMode
from certifier.review.models import (
    Action,
    Answer,
    Checklist,
    Decision,
    Item,
    Kind,
    Pull,
    Remark,
    Said,
    ShiftNote,
    SignOff,
    Stage,
)
from certifier.runs.models import Change, Dataset, Run
from certifier.sync.models import Pass
from certifier.training.models import LeftOut, Pause, RecipeChoice, Training
from certifier.trends.models import Alarm, Trend
from certifier.watch.models import Check
from tests import cast

PROMISED = {
    AuditEvent,
    Change,
    LogicVersion,
    Definition,
    Entry,
    Tag,
    SignOff,
    Checklist,
    ShiftNote,
    GoodRunList,
    GoodRunListRun,
    ListDocument,
    Part,
    ModelVersion,
    Promotion,
    SystemMode,
    Scoring,
    Finding,
    Pull,
    Decision,
    Remark,
    Training,
    Pass,
    Alarm,
    Check,
    Pause,
    LeftOut,
    RecipeChoice,
}
MODELS = sorted(
    (model for model in apps.get_models() if issubclass(model, AppendOnlyModel)), key=lambda model: model._meta.label
)


def test_it_holds_for_every_table_the_design_promises() -> None:
    assert set(MODELS) == PROMISED


def row_of(model: type[models.Model]) -> models.Model:
    """One row of the model, with what it refers to."""
    now = timezone.now()
    system = System.objects.create(code="LAR", name="LAr")
    run = cast.make_run(350479)
    defect = Defect.objects.create(name="LAR_X", name_key="lar_x", system=system)
    logic = LogicVersion.objects.create(number=1, summary="first")
    golden = GoodRunList.objects.create(
        name="list", origin=Origin.IMPORTED, sha256="0" * 64, run_count=1, lumisection_count=1
    )
    said = {"by_name": "ada", "at": now}
    rows: dict[type[models.Model], Callable[[], models.Model]] = {
        AuditEvent: lambda: AuditEvent.objects.create(actor_name="ada", code="a.b", subject="s", request_id="r"),
        Change: lambda: Change.objects.create(sequence=1, kind="runs.run", at=now, by="ada"),
        LogicVersion: lambda: logic,
        Definition: lambda: Definition.objects.create(
            defect=defect, version=logic, name="LAR_X", system=system, intolerable=False
        ),
        Entry: lambda: Entry.objects.create(
            run=run, defect=defect, lumisections="1-4", present=True, user="ada", source=Source.PAGE, entered_at=now
        ),
        Tag: lambda: Tag.objects.create(name="tag", entry_id=0, logic=logic),
        SignOff: lambda: SignOff.objects.create(
            run=run, system=system, stage=Stage.BULK, action=Action.SIGN, by_name="ada", at=now
        ),
        Checklist: lambda: Checklist.objects.create(system=system, stage=Stage.BULK, number=1, points=["x"], **said),
        ShiftNote: lambda: ShiftNote.objects.create(text="x", **said),
        GoodRunList: lambda: golden,
        GoodRunListRun: lambda: GoodRunListRun.objects.create(list=golden, run_number=1, lumisections="1"),
        ListDocument: lambda: ListDocument.objects.create(list=golden, name="d", sha256="0" * 64, content={}),
        Part: lambda: part_of(run, now),
        ModelVersion: lambda: version_of(system, said),
        Promotion: lambda: Promotion.objects.create(
            system=system, number=1, version=version_of(system, said), state="shadow", **said
        ),
        SystemMode: lambda: SystemMode.objects.create(system=system, number=1, mode="stopped", reason="x", **said),
        Scoring: lambda: scoring_of(part_of(run, now), version_of(system, said)),
        Finding: lambda: Finding.objects.create(
            scoring=scoring_of(part_of(run, now), version_of(system, said)),
            number=1,
            lumisections="1",
            verdict="bad",
        ),
        Pull: lambda: Pull.objects.create(
            scoring=scoring_of(part_of(run, now), version_of(system, said)),
            system=system,
            run=run,
            opened=0,
            superseded=0,
            at=now,
        ),
        Alarm: lambda: Alarm.objects.create(
            trend=Trend.objects.create(name="t", draw="good : run", changed_at=now),
            run=run, draw="good : run", value=1.0, low=2.0, high=3.0, at=now,
        ),
        Pass: lambda: Pass.objects.create(source="oms", outcome="done", began_at=now, took_s=1.0, by_name="ada"),
        Training: lambda: Training.objects.create(
            system=system, number=1, trigger="command", outcome="unchanged", words="x", took_s=1.0, **said
        ),
        RecipeChoice: lambda: RecipeChoice.objects.create(
            system=system, number=1, recipe="factors", reason="x", **said
        ),
        LeftOut: lambda: LeftOut.objects.create(
            system=system, number=1, first_run=1, last_run=2, is_left_out=True, reason="x", **said
        ),
        Pause: lambda: Pause.objects.create(system=system, number=1, is_paused=True, reason="x", **said),
        Decision: lambda: Decision.objects.create(
            item=item_of(run, system, now, said), number=1, answer=Answer.CONFIRM, good="", bad="1", **said
        ),
        Remark: lambda: Remark.objects.create(
            item=item_of(run, system, now, said), kind=Said.COMMENT, text="x", **said
        ),
        Check: lambda: Check.objects.create(
            system=system, number=1, version=version_of(system, said), pending=0, pollution={}, loss={}, overturned={},
            drift={}, words="x", at=now,
        ),
    }  # fmt: skip
    return rows[model]()


def item_of(run: Run, system: System, now: datetime, said: dict[str, Any]) -> Item:
    return Item.objects.create(
        scoring=scoring_of(part_of(run, now), version_of(system, said)), system=system, run=run, lumisections="1",
        kind=Kind.FINDING, place=2, verdict="bad", is_blind=False, weight=1.0, since=now, created_at=now,
    )  # fmt: skip


def part_of(run: Run, now: datetime) -> Part:
    return Part.objects.create(
        dataset=Dataset.objects.create(run=run, name="express"),
        element=Element.objects.create(path="LAr/time", axes=[], created_at=now),
        lumisections="1-4",
        file="f",
        row_group=0,
        sha256="0" * 64,
        histograms=4,
        entries=1.0,
        at=now,
    )


def version_of(system: System, said: dict[str, Any]) -> ModelVersion:
    return ModelVersion.objects.create(system=system, number=1, digest="0" * 64, kind="k", manifest={}, **said)


def scoring_of(part: Part, version: ModelVersion) -> Scoring:
    return Scoring.objects.create(
        version=version, dataset=part.dataset, newest_part=part, last=1, good="", bad="1", unsure="", unscored="",
        packed=b"1234", took_s=1.0, at=part.at,
    )  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_it_refuses_change_and_deletion_through_the_program(model: type[models.Model]) -> None:
    row = row_of(model)
    same = model._default_manager.filter(pk=row.pk)
    base = model._base_manager.filter(pk=row.pk)
    changes: list[Callable[[], object]] = [
        row.save,
        row.delete,
        same.delete,
        base.delete,
        lambda: same.update(pk=row.pk),
        lambda: base.update(pk=row.pk),
        lambda: model._default_manager.bulk_create([row], update_conflicts=True),
        lambda: model._default_manager.bulk_update([row], [model._meta.concrete_fields[-1].name]),
    ]
    for change in changes:
        with pytest.raises(AppendOnlyError, match="append-only"):
            change()
    assert same.exists()


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
@pytest.mark.parametrize("statement", ["UPDATE {table} SET {key} = {key}", "DELETE FROM {table}"])
def test_it_refuses_change_and_deletion_in_the_database(model: type[models.Model], statement: str) -> None:
    row_of(model)
    pk = model._meta.pk
    assert pk is not None
    sql = statement.format(table=f'"{model._meta.db_table}"', key=f'"{pk.column}"')
    with pytest.raises(DatabaseError, match="is append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert model._default_manager.exists()
