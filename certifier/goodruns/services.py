"""Writes of this room. A list is written once and never changed; what is derived of it stands in its own
tables.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError, Conflict
from certifier.audit.unit import Unit, unit_of_work
from certifier.defects.models import Tag
from certifier.lumi import RunLumiMap
from certifier.runs.changes import announce
from certifier.runs.models import ChangeCounter

from . import building, formats
from .contents import content_of
from .formats import golden_json
from .luminosity import Luminosity, luminosity_of
from .models import GoodRunList, GoodRunListRun, ListDocument, ListLuminosity, Origin

LONGEST_NAME = 200
LONGEST_DESCRIPTION = 5_000
LARGEST_DOCUMENT = 2_000_000
MOST_LISTS = 50
ROWS_PER_INSERT = 500


class ListRefused(CertifierError):
    """The list cannot be made as asked; `field` names what to change."""


class ListExists(Conflict):
    """A list of that name is there already, with another content or made in another way."""


@dataclass(frozen=True)
class Draft:
    """Everything about a list that is to be written."""

    name: str
    origin: Origin
    content: RunLumiMap
    description: str = ""
    # How it was asked for: compared when a list of that name exists.
    asked: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


def build_list(
    *,
    actor: User | None,
    name: str,
    require: Sequence[str],
    tag: Tag | None = None,
    ignore: Sequence[str] = (),
    runs: str = "",
    signed_off: bool = True,
    stage: str | None = None,
    description: str = "",
) -> GoodRunList:
    """Publish the lumisections where every required virtual defect is absent (see `building`).
    Coordinators only.

    `tag` None is HEAD, `runs` a run selection (empty: all). With `signed_off`, every system that the
    required defects depend on must be signed, at or after `stage` when that is given. Asking again in the
    same words for a list that exists with the same content returns that list. Raises BuildRefused,
    ListRefused and ListExists.
    """
    _check_name(name, description)
    permissions.require(permissions.can_publish(actor))
    question = building.ask(require=require, tag=tag, ignore=ignore, runs=runs, signed_off=signed_off, stage=stage)
    # Reads what is committed and append-only, so it needs no transaction, and nobody has to wait for it.
    built = building.build(question)
    return publish_built(actor=actor, name=name, built=built, description=description)


def publish_built(*, actor: User | None, name: str, built: building.Built, description: str = "") -> GoodRunList:
    """Publish what was built (and looked at, in a preview). Coordinators only."""
    _check_name(name, description)
    assert built.entry_id is not None  # a preview counts what is there at the moment, which is nothing to publish
    question = built.question
    asked = {
        "tag": question.tag,
        "require": list(question.require),
        "ignore": list(question.ignore),
        "run_selection": str(question.runs),
        "signed_off": question.signed_off,
        "stage": question.stage,
    }
    definitions = question.meaning.definitions
    expressions = {
        meaning.name: meaning.expression
        for meaning in sorted((definitions[each] for each in building.needed(question)), key=_by_name)
        if meaning.is_virtual
    }
    provenance = {
        "expressions": expressions,
        "systems": list(built.systems),
        "left_out": [each.to_json() for each in built.left_out],
        "machine": [each.to_json() for each in built.machine],
        "promises": [each.to_json() for each in built.promises],
    }
    draft = Draft(name, Origin.BUILT, built.content, description, asked, provenance)
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_publish(actor))
        row = _publish(unit, draft, entry_id=built.entry_id, logic=question.version)
        if not row.already_there:
            unit.audit("goodruns.build_list", f"list {row.name}", _facts(row))
    return row


def _by_name(meaning: Any) -> str:
    return str(meaning.name).lower()


def import_list(
    *, actor: User | None, name: str, file: formats.ReadFile, source: str, description: str = ""
) -> GoodRunList:
    """Take over a list made elsewhere, with its layout and metadata. Coordinators only.

    The same content under the same name again returns the list that is there; another content is ListExists.
    """
    _check_name(name, description)
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_publish(actor))
        told = "".join(letter if letter.isprintable() else "?" for letter in source[:300])
        provenance = {"source": told, "format": file.format, "remarks": list(file.remarks)}
        draft = Draft(
            name,
            Origin.IMPORTED,
            file.content,
            description,
            {"signed_off": False},
            provenance,
            file.metadata,
        )
        row = _publish(unit, draft)
        if not row.already_there:
            unit.audit("goodruns.import_list", f"list {row.name}", _facts(row) | {"source": draft.provenance["source"]})
    return row


def combine(
    *, actor: User | None, operation: str, lists: Sequence[GoodRunList], name: str, description: str = ""
) -> GoodRunList:
    """A list out of others: `and`, `or`, `xor` of all, or the first `minus` all others. Coordinators only."""
    _check_name(name, description)
    if operation not in OPERATIONS:
        raise ListRefused(
            f"“{operation[:40]}” is no operation. Choose one of {', '.join(OPERATIONS)}.", field="operation"
        )
    if not 2 <= len(lists) <= MOST_LISTS:
        raise ListRefused(f"Combine 2 to {MOST_LISTS} lists, not {len(lists)}.", field="lists")
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_publish(actor))
        content = combined(operation, [content_of(each) for each in lists])
        parents = [{"id": each.pk, "name": each.name, "sha256": each.sha256} for each in lists]
        provenance = {"operation": operation, "parents": parents}
        draft = Draft(name, Origin.COMBINED, content, description, {"signed_off": False}, provenance)
        row = _publish(unit, draft)
        if not row.already_there:
            unit.audit("goodruns.combine_lists", f"list {row.name}", _facts(row) | provenance)
    return row


OPERATIONS = {
    "and": RunLumiMap.__and__,
    "or": RunLumiMap.__or__,
    "minus": RunLumiMap.__sub__,
    "xor": RunLumiMap.__xor__,
}


def combined(operation: str, contents: Sequence[RunLumiMap]) -> RunLumiMap:
    """The contents combined from left to right; `minus` takes all others away from the first."""
    return reduce(OPERATIONS[operation], contents)


def attach_document(*, actor: User | None, list_: GoodRunList, name: str, content: Any) -> tuple[ListDocument, bool]:
    """Keep a JSON document with a list (a cut-flow report); the same one twice is kept once. Coordinators
    only.

    Returns the document and whether it is new. Raises ListRefused when it is larger than two million
    characters.
    """
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    if len(text) > LARGEST_DOCUMENT:
        raise ListRefused(
            f"The document is larger than {LARGEST_DOCUMENT:,} characters; keep it elsewhere.", field="file"
        )
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_publish(actor))
        digest = hashlib.sha256(text.encode()).hexdigest()
        there = ListDocument.objects.filter(list=list_, sha256=digest).first()
        if there is not None:
            return there, False
        row = ListDocument.objects.create(list=list_, name=name[:LONGEST_NAME], sha256=digest, content=content)
        unit.audit("goodruns.attach_document", f"list {list_.name}", {"document": row.name, "sha256": digest})
    return row, True


def store_luminosity(list_: GoodRunList, known: Luminosity, sequence: int) -> None:
    """Note what is known today of the luminosity of a list. Derived: no audit event, anybody's reading
    may cause it.
    """
    ListLuminosity.objects.update_or_create(
        list=list_, defaults={**_sums(known), "sequence": sequence, "refreshed_at": timezone.now()}
    )


# -- how -------------------------------------------------------------------------------------------


def _check_name(name: str, description: str) -> None:
    if not name or name != name.strip() or len(name) > LONGEST_NAME:
        raise ListRefused(
            f"Give the list a name of 1 to {LONGEST_NAME} characters, without blanks around it.", field="name"
        )
    if not name.isprintable():
        raise ListRefused("The name holds a character that cannot be shown.", field="name")
    if name.isdigit():
        raise ListRefused("A name of digits only would be taken for an id; add a letter.", field="name")
    if len(description) > LONGEST_DESCRIPTION or "\0" in description:
        raise ListRefused(
            f"The description has at most {LONGEST_DESCRIPTION} printable characters.", field="description"
        )


def _publish(unit: Unit, draft: Draft, *, entry_id: int = 0, logic: int = 0) -> GoodRunList:
    digest = golden_json.sha256(draft.content)
    there = GoodRunList.objects.filter(name__iexact=draft.name).first()
    if there is not None:
        return _same(there, draft, digest)
    # Before the luminosity is read: what changes in between makes it due for a refresh, never up to date.
    counter = ChangeCounter.objects.filter(pk=1).values_list("value", flat=True).first()
    known = luminosity_of(draft.content)
    row = GoodRunList(
        name=draft.name,
        description=draft.description,
        origin=draft.origin,
        sha256=digest,
        entry_id=entry_id,
        logic=logic,
        provenance=draft.provenance,
        metadata=draft.metadata,
        run_count=len(draft.content),
        lumisection_count=draft.content.count,
        created_by=unit.actor,  # type: ignore[misc]  # the audit room knows no more than that it is a person
        **draft.asked,
        **_sums(known),
    )
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise ListExists(f"A list called {draft.name} was published in the same moment. Look at it.") from None
    GoodRunListRun.objects.bulk_create(
        [
            GoodRunListRun(list=row, run_number=run, lumisections=lumisections)
            for run, lumisections in draft.content.items()
        ],
        batch_size=ROWS_PER_INSERT,
    )
    store_luminosity(row, known, counter or 0)
    announce(unit, "goodruns.list", data=_facts(row))
    return row


def _facts(row: GoodRunList) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "sha256": row.sha256,
        "runs": row.run_count,
        "lumisections": row.lumisection_count,
    }


def _same(there: GoodRunList, draft: Draft, digest: str) -> GoodRunList:
    """The list that is there, when it is the one that was to be written. Raises ListExists when it is
    another.
    """
    if there.name == draft.name and there.sha256 == digest and there.origin == draft.origin:
        parents = there.provenance.get("parents") == draft.provenance.get("parents")
        operation = there.provenance.get("operation") == draft.provenance.get("operation")
        if parents and operation and all(getattr(there, key) == value for key, value in draft.asked.items()):
            there.already_there = True
            return there
        raise ListExists(
            f"The list {there.name} has the same lumisections but was made in another way. Choose another name."
        )
    what = "another content" if there.name == draft.name else "a name that differs in case only"
    raise ListExists(f"A list called {there.name} exists with {what}, and lists never change. Choose another name.")


def _sums(known: Luminosity) -> dict[str, Any]:
    return {
        "delivered_inv_nb": known.delivered_inv_nb,
        "recorded_inv_nb": known.recorded_inv_nb,
        "delivered_lumisections": known.delivered_lumisections,
        "recorded_lumisections": known.recorded_lumisections,
    }
