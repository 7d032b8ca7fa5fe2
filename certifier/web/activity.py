"""The change feed in words, newest first, what one person did in a row as one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from certifier.lumi import RunSelection
from certifier.runs.models import Change

LOOKED_AT = 400
SHOWN = 9
TOLD_ONE_BY_ONE = {
    "goodruns.list", "defects.tag", "defects.definitions", "precert.promotion", "precert.mode", "training.pause",
}  # fmt: skip
# Of these somebody is told elsewhere: in the queue, on the page of the guarantee.
NOTED = {"review.items", "watch.check"}
NAMED = 3


@dataclass(frozen=True)
class Deed:
    """Who did what, and when last. `run` is the run it is about, when it is about one."""

    by: str
    words: str
    at: datetime
    run: int | None = None
    url_name: str = ""
    url_argument: object = None


def recent_activity() -> list[Deed]:
    """The latest lines of the feed. One query."""
    changes = Change.objects.order_by("-sequence")[:LOOKED_AT]
    return lines_of(changes)[:SHOWN]


def lines_of(changes: Iterable[Change]) -> list[Deed]:
    """`changes` newest first. What was done in a row of one kind is one line."""
    return [_deed(list(group)) for _, group in groupby(_worth_telling(changes), key=_together)]


def _worth_telling(changes: Iterable[Change]) -> Iterator[Change]:
    """Without what the program notes by itself, and without the entries that a decision made: it is told."""
    decision: Change | None = None
    for change in changes:
        if change.kind in NOTED:
            continue
        implied = decision is not None and (change.kind, change.run, change.by) == (
            "defects.entries", decision.run, decision.by,
        )  # fmt: skip
        if not implied:
            yield change
        decision = change if change.kind in {"review.decision", "review.undo"} else None


def _together(change: Change) -> tuple[str, object]:
    """What is told as one: entries and signatures of a run, whoever made them; what is published, each for itself;
    anything else by who did it."""
    if change.kind in {"defects.entries", "review.sign_off"}:
        return change.kind, change.run
    if change.kind in TOLD_ONE_BY_ONE:
        return change.kind, change.sequence
    return change.kind, change.by


def _deed(group: Sequence[Change]) -> Deed:
    newest = group[0]
    runs = sorted({change.run for change in group if change.run is not None})
    people = dict.fromkeys(change.by for change in group)
    url_name, argument = "", None
    if newest.kind == "goodruns.list" and "id" in newest.data:
        url_name, argument = "goodruns:list", newest.data["id"]
    elif newest.kind in {"precert.promotion", "precert.model"} and "id" in newest.data:
        url_name, argument = "precert:model", newest.data["id"]
    elif newest.kind.startswith("training.") and "system" in newest.data:
        url_name, argument = "training:system", newest.data["system"]
    elif newest.kind == "defects.tag" and "name" in newest.data:
        url_name, argument = "defects:tag", newest.data["name"]
    return Deed(
        by=_some(list(people), "{} others"),
        words=WORDS.get(newest.kind, _anything)(group),
        at=newest.at,
        run=runs[0] if len(runs) == 1 else None,
        url_name=url_name,
        url_argument=argument,
    )


def _of_runs(group: Sequence[Change]) -> str:
    numbers = sorted({change.run for change in group if change.run is not None})
    if not numbers:
        return ""
    if len(numbers) == 1:
        return f"run {numbers[0]}"
    return f"{len(numbers)} runs, {RunSelection([(numbers[0], numbers[-1])])}"


def _some(names: Sequence[Any], rest: str) -> str:
    """The first of the names, and `rest` with the number of the others: never "1 others", that one is named."""
    if len(names) <= NAMED + 1:
        return ", ".join(map(str, names))
    return f"{', '.join(map(str, names[:NAMED]))} and {rest.format(len(names) - NAMED)}"


def _run(group: Sequence[Change]) -> str:
    created = all(change.data.get("outcome") == "created" for change in group)
    if created:
        return f"created {_of_runs(group)}"
    fields = {name for change in group for name in change.data.get("changed", [])}
    return f"changed {_of_runs(group)}" + (f": {_some(sorted(fields), '{} more')}" if fields else "")


def _lumisections(group: Sequence[Change]) -> str:
    if len(group) == 1 and (text := group[0].data.get("lumisections")):
        return f"sent lumisections {text if len(text) <= 24 else text[:24] + '…'} of {_of_runs(group)}"
    return f"sent lumisections of {_of_runs(group)}"


def _entries(group: Sequence[Change]) -> str:
    count = sum(change.data.get("count", 0) for change in group)
    names = sorted({name for change in group for name in change.data.get("defects", [])})
    what = f": {names[0]}" if len(names) == 1 else ""
    return f"recorded {count} {'entry' if count == 1 else 'entries'} on {_of_runs(group)}{what}"


def _definitions(group: Sequence[Change]) -> str:
    summary = group[0].data.get("summary") or "definitions changed"
    return f"changed the logic: {summary}"


def _sign_off(group: Sequence[Change]) -> str:
    done = [(change.data.get("action"), change.data.get("stage"), change.data.get("system")) for change in group]
    parts = []
    for action, stage in dict.fromkeys((action, stage) for action, stage, _ in done):
        systems = [system for *act, system in done if tuple(act) == (action, stage)]
        verb = "reopened" if action == "reopen" else "signed"
        parts.append(f"{verb} {_some(systems, '{} more')} {stage}")
    return f"{', '.join(parts)} of {_of_runs(group)}"


def _decisions(group: Sequence[Change]) -> str:
    fine = sum(1 for change in group if not change.data.get("bad"))
    said = [f"{count} {word}" for count, word in ((len(group) - fine, "bad"), (fine, "fine")) if count]
    return f"reviewed {_some(_systems(group), '{} others')} of {_of_runs(group)}: {', '.join(said)}"


def _undone(group: Sequence[Change]) -> str:
    what = "a decision" if len(group) == 1 else f"{len(group)} decisions"
    return f"took back {what} on {_some(_systems(group), '{} others')} of {_of_runs(group)}"


def _tag(group: Sequence[Change]) -> str:
    return f"made the tag {group[0].data.get('name', '')}"


def _list(group: Sequence[Change]) -> str:
    data = group[0].data
    runs, lumisections = data.get("runs", 0), data.get("lumisections", 0)
    return f"published the list {data.get('name', '')}: {runs:,} runs, {lumisections:,} lumisections"


def _histograms(group: Sequence[Change]) -> str:
    count = sum(change.data.get("histograms", 0) for change in group)
    return f"sent {count:,} histograms of {_of_runs(group)}"


def _systems(group: Sequence[Change]) -> list[str]:
    return sorted({change.data.get("system", "") for change in group})


def _scorings(group: Sequence[Change]) -> str:
    return f"scored {_some(_systems(group), '{} others')} of {_of_runs(group)}"


def _model(change: Change) -> str:
    return f"{change.data.get('system', '')} model {change.data.get('model', '')}"


def _promotion(group: Sequence[Change]) -> str:
    state = group[0].data.get("state", "")
    verb = {"champion": "promoted", "paused": "paused", "retired": "retired"}.get(state)
    return f"{verb} {_model(group[0])}" if verb else f"put {_model(group[0])} into {state}"


def _element(change: Change) -> str:
    return str(change.data.get("element", ""))


def _anything(group: Sequence[Change]) -> str:
    of_runs = _of_runs(group)
    return f"{group[0].kind}{f' of {of_runs}' if of_runs else ''}"


WORDS = {
    "runs.run": _run,
    "runs.lumisections": _lumisections,
    "runs.dataset": lambda group: f"named datasets of {_of_runs(group)}",
    "runs.reference_runs": lambda group: "set reference runs",
    "monitoring.histograms": _histograms,
    "monitoring.element": lambda group: (
        f"changed monitoring elements: {_some([_element(one) for one in group], '{} others')}"
    ),
    "precert.scoring": _scorings,
    "precert.model": lambda group: f"registered {_some([_model(one) for one in group], '{} others')}",
    "precert.promotion": _promotion,
    "precert.mode": lambda group: f"switched {group[0].data.get('system', '')} to mode {group[0].data.get('mode', '')}",
    "training.done": lambda group: f"trained {_some(_systems(group), '{} others')}",
    "training.pause": lambda group: (
        f"{'paused' if group[0].data.get('paused') else 'resumed'} the training of {group[0].data.get('system', '')}"
    ),
    "trends.alarm": lambda group: f"saw {group[0].data.get('trend', '')} leave its band at {_of_runs(group)}",
    "trends.given_up": lambda group: f"watches {group[0].data.get('trend', '')} no longer",
    "defects.entries": _entries,
    "defects.definitions": _definitions,
    "defects.tag": _tag,
    "review.sign_off": _sign_off,
    "review.decision": _decisions,
    "review.undo": _undone,
    "goodruns.list": _list,
}
