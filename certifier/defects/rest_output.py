"""What this room knows, as the JSON that `serializers` describes."""

from __future__ import annotations

from typing import Any

from .as_of import AsOf
from .logic_at import Meaning
from .models import Entry
from .selectors import DefectInRun, RunDefects
from .tag_diff import DefinitionDifference, TagDiff
from .upload import PlannedLine, Upload


def entry_output(entry: Entry, run: int, defect: str) -> dict[str, Any]:
    """One entry under the run's number and the name that its defect has at the moment that is asked for."""
    return {
        "id": entry.pk,
        "run": run,
        "defect": defect,
        "lumisections": entry.lumisections,
        "present": entry.present,
        "recoverable": entry.recoverable,
        "user": entry.user,
        "comment": entry.comment,
        "source": entry.source,
        "entered_at": entry.entered_at,
    }


def meaning_output(meaning: Meaning) -> dict[str, Any]:
    return {
        "name": meaning.name,
        "system": meaning.system_code,
        "description": meaning.description,
        "expression": meaning.expression,
        "intolerable": meaning.intolerable,
        # Where nothing is demanded the object is that of the contract, and no more.
        **({"needs_comment": True} if meaning.needs_comment else {}),
    }


def upload_output(done: Upload) -> dict[str, Any]:
    return {
        "dry_run": done.dry_run,
        "message": done.message,
        "changes": bool(done.changing),
        "recorded": done.changing,
        "head": done.entries[-1].pk if done.entries else None,
        "lines": [line_output(line) for line in done.lines],
    }


def line_output(line: PlannedLine) -> dict[str, Any]:
    run, defect, lumisections, entry = line.resolved
    return {
        "line": line.number,
        "run": run.number,
        "defect": defect.name,
        "lumisections": lumisections,
        "present": entry.present,
        "recoverable": entry.recoverable,
        "comment": entry.comment,
        "changes": line.changes,
        "becomes_present": line.becomes_present,
        "becomes_absent": line.becomes_absent,
        "becomes_recoverable": line.becomes_recoverable,
        "becomes_unrecoverable": line.becomes_unrecoverable,
        "already_so": line.already_so,
        "overrides": [one._asdict() for one in line.overrides],
        "warnings": line.warnings,
    }


def defect_in_run_output(one: DefectInRun) -> dict[str, Any]:
    return {
        "defect": one.defect,
        "system": one.system,
        "virtual": one.virtual,
        "intolerable": one.intolerable,
        "present": one.present,
        "absent": one.absent,
        "intervals": [
            {
                "lumisections": interval.lumisections,
                "present": interval.present,
                "recoverable": interval.recoverable,
                "user": interval.user,
                "comment": interval.comment,
                "entered_at": interval.entered_at,
            }
            for interval in one.intervals
        ],
    }


def moment_output(moment: AsOf) -> dict[str, Any]:
    return {"tag": moment.name, "entry": moment.up_to, "logic": moment.version, "runs": str(moment.runs)}


def definition_difference_output(one: DefinitionDifference) -> dict[str, Any]:
    return {
        "defect": one.name,
        "a": meaning_output(one.a) if one.a else None,
        "b": meaning_output(one.b) if one.b else None,
        "changed": one.changed,
    }


def run_defects_output(answer: RunDefects) -> dict[str, Any]:
    return {
        "run": answer.run,
        "lumisections": answer.lumisections,
        "tag": answer.tag,
        "defects": [defect_in_run_output(one) for one in answer.defects],
    }


def tag_diff_output(diff: TagDiff) -> dict[str, Any]:
    return {
        "a": moment_output(diff.a),
        "b": moment_output(diff.b),
        "runs_only_in_a": diff.runs_only_in_a,
        "runs_only_in_b": diff.runs_only_in_b,
        "definitions": [definition_difference_output(one) for one in diff.definitions],
        "differences": [one._asdict() for one in diff.differences],
    }
