"""From what this room knows to the JSON of its answers; `serializers` describes the same for the schema."""

from __future__ import annotations

from typing import Any

from .building import Built
from .comparing import ListDifference
from .formats import golden_json
from .known import luminosity_known
from .loss_table import Charge, LossTable, SystemLoss
from .luminosity import Luminosity, luminosity_of
from .models import GoodRunList, ListDocument
from .selectors import noted_luminosity


def luminosity_output(known: Luminosity) -> dict[str, Any]:
    return {
        "lumisections": known.lumisections,
        "delivered_inv_nb": known.delivered_inv_nb,
        "recorded_inv_nb": known.recorded_inv_nb,
        "delivered_lumisections": known.delivered_lumisections,
        "recorded_lumisections": known.recorded_lumisections,
    }


def summary_output(list_: GoodRunList, known: Luminosity | None = None) -> dict[str, Any]:
    """The facts of a list; the luminosity as last noted unless it is given."""
    known = known or noted_luminosity(list_) or published_luminosity(list_)
    return {
        "id": list_.pk,
        "name": list_.name,
        "description": list_.description,
        "origin": list_.origin,
        "sha256": list_.sha256,
        "runs": list_.run_count,
        **luminosity_output(known),
        "tag": list_.tag.name if list_.tag else None,
        "entry_id": list_.entry_id,
        "logic_version": list_.logic,
        "require": list_.require,
        "ignore": list_.ignore,
        "run_selection": list_.run_selection,
        "signed_off": list_.signed_off,
        "stage": list_.stage,
        "created_by": list_.created_by.username if list_.created_by else None,
        "created_at": list_.created_at,
    }


def list_output(list_: GoodRunList) -> dict[str, Any]:
    return {
        **summary_output(list_, luminosity_known(list_)),
        "provenance": list_.provenance,
        "when_published": luminosity_output(published_luminosity(list_)),
        "documents": [document_output(each) for each in list_.documents.all()],
    }


def published_luminosity(list_: GoodRunList) -> Luminosity:
    return Luminosity(
        list_.lumisection_count,
        list_.delivered_inv_nb,
        list_.recorded_inv_nb,
        list_.delivered_lumisections,
        list_.recorded_lumisections,
    )


def document_output(document: ListDocument) -> dict[str, Any]:
    return {"name": document.name, "sha256": document.sha256, "created_at": document.created_at}


def preview_output(built: Built) -> dict[str, Any]:
    return {
        "sha256": golden_json.sha256(built.content),
        "runs": len(built.content),
        **luminosity_output(luminosity_of(built.content)),
        "entry_id": built.entry_id,
        "logic_version": built.question.version,
        "systems": list(built.systems),
        "left_out": [each.to_json() for each in built.left_out],
        "machine": [each.to_json() for each in built.machine],
        "promises": [each.to_json() for each in built.promises],
    }


def loss_output(list_: GoodRunList, table: LossTable) -> dict[str, Any]:
    return {
        "list": list_.pk,
        "flags": list(table.flags),
        "as_built": table.as_built,
        "runs": table.runs,
        "selected": luminosity_output(table.selected),
        "good": luminosity_output(table.good),
        "lost": _charge(table.lost, table.recoverable),
        "outside": luminosity_output(table.outside),
        "systems": [_system(system) for system in table.systems],
        "elsewhere": [{"reason": each.defect, **luminosity_output(each.lost)} for each in table.elsewhere],
        "left_out": [each.to_json() for each in table.left_out],
        "runs_without_lumisections": table.runs_without_lumisections,
        "runs_without_flags": table.runs_without_flags,
    }


def _charge(lost: Luminosity, recoverable: Luminosity) -> dict[str, Any]:
    return {**luminosity_output(lost), "recoverable": luminosity_output(recoverable)}


def _system(system: SystemLoss) -> dict[str, Any]:
    def defect(charge: Charge) -> dict[str, Any]:
        return {"defect": charge.defect, **_charge(charge.lost, charge.recoverable)}

    return {
        "system": system.system,
        **_charge(system.lost, system.recoverable),
        "defects": [defect(charge) for charge in system.defects],
        "not_signed_off": luminosity_output(system.not_signed_off),
    }


def difference_output(first: GoodRunList, second: GoodRunList, found: ListDifference) -> dict[str, Any]:
    return {
        "first_list": first.pk,
        "second_list": second.pk,
        "first": luminosity_output(found.first),
        "second": luminosity_output(found.second),
        "common": luminosity_output(found.common),
        "runs": [
            {
                "run": each.run,
                "only_first": str(each.only_first),
                "only_second": str(each.only_second),
                "first": luminosity_output(each.first),
                "second": luminosity_output(each.second),
            }
            for each in found.runs
        ],
    }
