"""Every write of this room: definitions, entries and tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Max
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.unit import Unit, unit_of_work
from certifier.lumi import LumiError, RunSelection
from certifier.runs import changes
from certifier.runs.models import Run

from . import definition_rules as rules
from .as_of import tag_named
from .definition_rules import NewDefect
from .entry_input import ENTRIES_PER_REQUEST, NewEntry, Resolved, resolve_all
from .errors import (
    DefinitionChanged,
    EntriesRefused,
    NothingToUndo,
    TagExists,
    TagRefused,
    TooManyEntries,
    UnknownDefect,
    UnknownEntry,
)
from .logic_at import Meaning, logic_at
from .meanwhile import check_nothing_newer, hold_runs
from .models import SPOKEN, Defect, Definition, Entry, LogicVersion, Source, Tag
from .naming import check_tag_name, did_you_mean, key_of, quoted
from .resolution import settle
from .undoing import restoring, visible_of

MAX_RUNS_TEXT = 20_000
ENTRIES_PER_INSERT = 2_000
NAMED_IN_FEED = 50

__all__ = [
    "NewDefect",
    "NewEntry",
    "change_defect",
    "create_tag",
    "define_defect",
    "define_defects",
    "record_entries",
    "undo_entry",
]


def define_defect(
    *,
    actor: User | None,
    name: str,
    system: System | str,
    description: str = "",
    expression: str | None = None,
    intolerable: bool = False,
    needs_comment: bool = False,
) -> Defect:
    """A new defect, primary, or virtual when it has an expression. Experts of its system and coordinators only.

    Makes a new logic version. Raises DefectExists (ignoring case, over both kinds), and DefinitionRefused or another
    CertifierError naming the field: no name, unknown system, an expression that is none, unknown names in it.
    """
    new = NewDefect(
        name=name,
        system=system,
        description=description,
        expression=expression,
        intolerable=intolerable,
        needs_comment=needs_comment,
    )
    return define_defects(actor=actor, definitions=[new])[0]


def define_defects(*, actor: User | None, definitions: Sequence[NewDefect]) -> list[Defect]:
    """Several new defects in one logic version, all or nothing; their expressions may name each other."""
    with unit_of_work(actor) as unit:
        version = lock_definitions() + 1
        systems = [rules.system_named(new.system) for new in definitions]
        for system in set(systems):
            permissions.require(permissions.can_define_defects(actor, system))
        head = logic_at().definitions
        rules.check_new_names(definitions, head)
        meanings = [rules.new_meaning(new, system, version) for new, system in zip(definitions, systems, strict=True)]
        meanings = rules.settle_expressions(head, meanings)
        rows = Defect.objects.bulk_create([_row(meaning) for meaning in meanings])
        meanings = [replace(meaning, defect=row.pk) for meaning, row in zip(meanings, rows, strict=True)]
        summary = f"{meanings[0].name} defined" if len(meanings) == 1 else f"{len(meanings)} defects defined"
        _write_version(unit, actor, version, summary, meanings)
        for meaning in meanings:
            data = {"system": meaning.system_code, "expression": meaning.expression, "version": version}
            unit.audit("defects.define_defect", f"defect {meaning.name}", data)
    return rows


def change_defect(
    *, actor: User | None, defect: Defect | str, expected_version: int | None = None, **changed: Any
) -> Defect:
    """Change what a defect is called or means: any of name, system, description, expression, intolerable,
    needs_comment.

    Experts of its system (of both, when it moves) and coordinators only. What is changed makes a new logic version;
    tags keep theirs. A new name is written into the expressions of HEAD that use the old one, as definitions of the
    same version. Nothing changed, nothing written. The kind never changes. `expected_version` is the logic version
    since which the caller knows the definition to hold: DefinitionChanged when there is a newer one.
    """
    with unit_of_work(actor) as unit:
        version = lock_definitions() + 1
        head = logic_at().definitions
        before = head.by_defect[defect.pk] if isinstance(defect, Defect) else head.find(defect)
        if before is None:
            raise UnknownDefect(f"There is no defect {quoted(str(defect))}.{did_you_mean(str(defect), head)}")
        permissions.require(permissions.can_define_defects(actor, before.system))
        if expected_version is not None and expected_version != before.since:
            raise DefinitionChanged(f"{before.name} was changed meanwhile. Look at it again, then repeat your change.")
        wanted = rules.changed_meaning(before, version, changed)
        permissions.require(permissions.can_define_defects(actor, wanted.system))
        rules.check_name_is_free(wanted.name, head, but=before.defect)
        [wanted] = rules.settle_expressions(head, [wanted])
        if rules.difference(before, wanted):
            written = [wanted]
            if wanted.name != before.name:
                written += rules.dependents_rewritten(head, before, wanted)
            _store(written)
            _write_version(unit, actor, version, rules.summary_of_change(before, wanted, len(written) - 1), written)
            unit.audit("defects.change_defect", f"defect {wanted.name}", rules.difference(before, wanted))
    return Defect.objects.select_related("system").get(pk=before.defect)


def lock_definitions() -> int:
    """Keep every other definition waiting until this transaction ends; returns the newest logic version (0: none yet).

    Two people who define V by W and W by V at the same time would each see no cycle. On PostgreSQL the mode chosen
    keeps out other writers of definitions only: readers, and taggers whose row refers to a version, do not wait. SQLite
    has one writer at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {LogicVersion._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
    return newest_version() or 0


def newest_version() -> int | None:
    """The newest logic version that can be seen, None before the first; what commits later has a higher number."""
    newest: int | None = LogicVersion.objects.aggregate(newest=Max("number"))["newest"]
    return newest


def _row(meaning: Meaning) -> Defect:
    return Defect(
        pk=meaning.defect or None,
        name=meaning.name,
        name_key=key_of(meaning.name),
        system_id=meaning.system,
        description=meaning.description,
        expression=meaning.expression,
        intolerable=meaning.intolerable,
        needs_comment=meaning.needs_comment,
    )


def _store(meanings: Sequence[Meaning]) -> None:
    """Copy the definitions in force into the rows that others join."""
    fields = ["name", "name_key", "system", "description", "expression", "intolerable", "needs_comment"]
    Defect.objects.bulk_update([_row(meaning) for meaning in meanings], fields, batch_size=100)


def _write_version(unit: Unit, actor: User | None, number: int, summary: str, meanings: Sequence[Meaning]) -> None:
    version = LogicVersion.objects.create(number=number, by=actor, summary=summary[:200])
    Definition.objects.bulk_create(
        Definition(
            defect_id=meaning.defect,
            version=version,
            name=meaning.name,
            system_id=meaning.system,
            description=meaning.description,
            expression=meaning.expression,
            intolerable=meaning.intolerable,
            needs_comment=meaning.needs_comment,
        )
        for meaning in meanings
    )
    names = [meaning.name for meaning in meanings]
    data = {"version": number, "summary": summary[:200], "defects": names[:NAMED_IN_FEED], "count": len(names)}
    changes.announce(unit, "defects.definitions", data=data)


# --- entries ----------------------------------------------------------------------------------------------------


def record_entries(
    *, actor: User | None, entries: Sequence[NewEntry], source: str, seen: int | None = None
) -> list[Entry]:
    """Say that defects are present or absent on lumisections: all entries or none; a later one wins where they overlap.

    Shifters, experts of the defects' systems, and coordinators. Only primary defects, only lumisections of the run, and
    not without a comment where the definition demands one. With `seen`, the highest entry that the person had before
    their eyes, EnteredMeanwhile is raised when there is a later one on the same lumisections of the same defect.
    Returns the rows in the order given, ids ascending. Raises EntriesRefused with the index and field of each bad
    entry, TooManyEntries above 20,000 of them.
    """
    if source not in Source.values:
        raise ValueError(f"no entry comes from {source!r}")
    if not entries:
        raise EntriesRefused([{"field": "entries", "message": "There is no entry in the request; give at least one."}])
    if len(entries) > ENTRIES_PER_REQUEST:
        raise TooManyEntries(
            f"{len(entries)} entries are too many at once; send at most {ENTRIES_PER_REQUEST} per request."
        )
    with unit_of_work(actor) as unit:
        resolved = resolve_all(entries, comments_demanded=source in SPOKEN)
        for system in sorted({one.defect.system for one in resolved}):
            permissions.require(permissions.can_record_defects(actor, system))
        # Nobody is to wait for a long import, which tells of the past: it may slip under what somebody is looking at.
        if source != Source.IMPORT:
            hold_runs(resolved)
        if seen is not None:
            check_nothing_newer(resolved, seen)
        now = timezone.now()
        rows = [
            Entry(
                run_id=one.run.pk,
                defect_id=one.defect.pk,
                lumisections=one.lumisections,
                present=one.entry.present,
                recoverable=one.entry.recoverable,
                comment=one.entry.comment,
                user=one.entry.user or unit.actor_name,
                actor=actor,
                source=source,
                entered_at=one.entry.entered_at or now,
            )
            for one in resolved
        ]
        rows = Entry.objects.bulk_create(rows, batch_size=ENTRIES_PER_INSERT)
        _tell_of_entries(unit, resolved, rows, source)
    return rows


def undo_entry(*, actor: User | None, entry: int) -> list[Entry]:
    """Take an entry (its number) back, by new ones that say again what held before it, wherever it is the last word.

    Whoever may record the defect. Raises UnknownEntry, and NothingToUndo when later entries hold everywhere, or a
    decision of the review wrote it.
    """
    with unit_of_work(actor) as unit:
        found = Entry.objects.select_related("run", "defect").filter(pk=entry).first() if 0 < entry < 2**63 else None
        if found is None:
            raise UnknownEntry(f"There is no entry {entry}.")
        permissions.require(permissions.can_record_defects(actor, found.defect.system_id))
        if found.source == Source.REVIEW:
            raise NothingToUndo(f"A decision of the review wrote entry {entry}. Undo the decision, where it was made.")
        Run.objects.select_for_update(no_key=True).get(pk=found.run_id)
        rows = list(Entry.objects.filter(run_id=found.run_id, defect_id=found.defect_id).order_by("id"))
        where = visible_of(found, [row for row in rows if row.pk > found.pk])
        if not where:
            raise NothingToUndo(
                f"Entry {entry} holds nowhere any more: later entries of {found.defect.name} cover all of its "
                "lumisections. Look at the history, and undo the last of them."
            )
        wanted = restoring(found, [row for row in rows if row.pk < found.pk], where)
        written = record_entries(actor=actor, entries=wanted, source=Source.PAGE)
        unit.audit("defects.undo_entry", f"entry {entry}", {"lumisections": str(where), "by": written[0].pk})
    return written


def _tell_of_entries(unit: Unit, resolved: Sequence[Resolved], rows: Sequence[Entry], source: str) -> None:
    """One audit event for all, and in the feed one change per run."""
    together = sorted(zip(resolved, rows, strict=True), key=lambda pair: (pair[0].run.number, pair[1].pk))
    numbers = []
    for number, pairs in groupby(together, key=lambda pair: pair[0].run.number):
        of_run = list(pairs)
        names = sorted({one.defect.name for one, _ in of_run})
        data = {
            "first": of_run[0][1].pk,
            "last": of_run[-1][1].pk,
            "count": len(of_run),
            "defects": names[:NAMED_IN_FEED],
            "source": source,
        }
        changes.announce(unit, "defects.entries", run=number, data=data)
        numbers.append(number)
    subject = f"run {numbers[0]}" if len(numbers) == 1 else f"{len(numbers)} runs"
    data = {
        "first": rows[0].pk,
        "last": rows[-1].pk,
        "count": len(rows),
        "source": source,
        "runs": numbers[:NAMED_IN_FEED],
    }
    unit.audit("defects.record_entries", subject, data)


# --- tags -------------------------------------------------------------------------------------------------------


def create_tag(
    *, actor: User | None, name: str, description: str = "", from_tag: Tag | str | None = None, runs: str = ""
) -> Tag:
    """Freeze what is true now under a name: all entries so far and the definitions in force. Coordinators only.

    `from_tag` freezes that tag's pair again instead of HEAD's. `runs` restricts the tag to these runs (of a restricted
    `from_tag`: to those in both). Raises TagExists (ignoring case), UnknownTag, and TagRefused when none of our runs is
    selected.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_tag(actor))
        # First of all that locks anything: see `settle` for why the highest entry alone would not freeze the tag.
        entry = settle() if not from_tag else 0
        check_tag_name(name)
        rules.check_description(description)
        if Tag.objects.filter(name__iexact=name).exists():
            raise TagExists(
                f"The tag {name} exists already (case is ignored), and tags never change. Choose another name."
            )
        origin = tag_named(from_tag) if isinstance(from_tag, str) and from_tag else from_tag or None
        selection = _selected(runs, origin)
        # After the entries: what an entry's defect means was defined before it.
        logic = newest_version() if origin is None else origin.logic_id
        try:
            with transaction.atomic():
                tag = Tag.objects.create(
                    name=name,
                    description=description,
                    entry_id=entry if origin is None else origin.entry_id,
                    logic_id=logic,
                    runs=str(selection),
                    from_tag=origin,
                    created_by=actor,
                )
        except IntegrityError as error:
            raise TagExists(f"The tag {name} was created by somebody else this moment. Choose another name.") from error
        data = {"entry": tag.entry_id, "logic": tag.logic_id, "runs": tag.runs, "from_tag": origin and origin.name}
        unit.audit("defects.create_tag", f"tag {name}", data)
        changes.announce(unit, "defects.tag", data={"name": name, **data})
    return tag


def _selected(runs: str, origin: Tag | None) -> RunSelection:
    """The runs of the tag. Raises TagRefused when the text is none, or none of our runs is selected."""
    if len(runs) > MAX_RUNS_TEXT:
        raise TagRefused(f"The run selection has {len(runs)} characters; at most {MAX_RUNS_TEXT}.", field="runs")
    try:
        selection = RunSelection.parse(runs)
        if origin is not None and origin.runs:
            selection = _in_both(selection, RunSelection.parse(origin.runs))
    except LumiError as error:
        raise TagRefused(str(error), field="runs") from error
    if not selection.is_all:
        numbers = Run.objects.order_by().values_list("number", flat=True)
        if not any(number in selection for number in numbers):
            where = f" of tag {origin.name}" if origin is not None and origin.runs else ""
            raise TagRefused(
                f"Nothing in range: we have no run{where} in “{runs[:60]}”, so no tag was made. "
                "Correct the runs, or leave them out to tag all.",
                field="runs",
            )
    return selection


def _in_both(one: RunSelection, other: RunSelection) -> RunSelection:
    pairs = [
        (max(first, start), min(last, end))
        for first, last in one.ranges()
        for start, end in other.ranges()
        if max(first, start) <= min(last, end)
    ]
    if not pairs:
        raise LumiError(f"Nothing in range: none of these runs is part of the tag it is made from ({other}).")
    return RunSelection(pairs)
