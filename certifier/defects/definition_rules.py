"""The rules a definition obeys: its name, its expression, and what follows from a change. Nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from certifier.accounts import selectors
from certifier.accounts.errors import NoSuchSystem
from certifier.accounts.models import System
from certifier.lumi import CyclicDefinition, LumiError, parse

from .errors import DefectExists, DefinitionRefused
from .logic_at import Definitions, Meaning, build
from .naming import check_name, did_you_mean, key_of, quoted

MAX_DESCRIPTION = 10_000
CHANGEABLE = {"name", "system", "description", "expression", "intolerable", "needs_comment"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDefect:
    """One definition to make; an expression makes it virtual. `system` is the system or its code."""

    name: str
    system: System | str
    description: str = ""
    expression: str | None = None
    intolerable: bool = False
    needs_comment: bool = False


def system_named(system: System | str) -> System:
    """The system, which may be given by its code (ignoring case). Raises DefinitionRefused when there is none."""
    if isinstance(system, System):
        return system
    try:
        return selectors.system_named(system)
    except NoSuchSystem:
        meant = did_you_mean(system, System.objects.values_list("code", flat=True))
        words = f"There is no system {quoted(system)}.{meant} Create the system first."
        raise DefinitionRefused(words, field="system") from None


def check_new_names(definitions: Sequence[NewDefect], head: Definitions) -> None:
    """Raises when a name is none, is taken, or is given twice."""
    seen: set[str] = set()
    for new in definitions:
        check_name(new.name)
        check_name_is_free(new.name, head)
        if key_of(new.name) in seen:
            raise DefinitionRefused(f"{new.name} is defined twice (case is ignored).", field="name")
        seen.add(key_of(new.name))


def check_name_is_free(name: str, head: Definitions, *, but: int | None = None) -> None:
    """Raises DefectExists when another defect than `but` has the name, in whatever case, of whatever kind."""
    taken = head.find(name)
    if taken is not None and taken.defect != but:
        kind = "virtual" if taken.is_virtual else "primary"
        raise DefectExists(
            f"{taken.name} exists already, as a {kind} defect of {taken.system_code} (case is ignored). "
            "Choose another name."
        )


def new_meaning(new: NewDefect, system: System, version: int) -> Meaning:
    """The first definition of a defect that has no key yet (0)."""
    check_description(new.description)
    what = (new.name, system.pk, system.code, new.description, new.expression, new.intolerable)
    return Meaning(0, *what, version, new.needs_comment)


def changed_meaning(before: Meaning, version: int, changed: dict[str, Any]) -> Meaning:
    """The definition with some of its fields (`CHANGEABLE`) changed; its kind stays."""
    unknown = set(changed) - CHANGEABLE
    if unknown:
        raise TypeError(f"a defect has no {', '.join(sorted(unknown))}")
    values = dict(changed)
    if "name" in values:
        check_name(values["name"])
    if "description" in values:
        check_description(values["description"])
    if "expression" in values and (values["expression"] is None) == before.is_virtual:
        kind, other = ("virtual", "primary") if before.is_virtual else ("primary", "virtual")
        raise DefinitionRefused(
            f"{before.name} is {kind} and stays so: entries and tags rely on it. "
            f"Define a {other} defect of another name instead.",
            field="expression",
        )
    if "system" in values:
        system = system_named(values.pop("system"))
        values |= {"system": system.pk, "system_code": system.code}
    return replace(before, since=version, **values)


def check_description(description: str) -> None:
    if len(description) > MAX_DESCRIPTION or "\x00" in description:
        raise DefinitionRefused(
            f"A description has at most {MAX_DESCRIPTION} characters and no NUL among them.", field="description"
        )


def settle_expressions(head: Definitions, meanings: Sequence[Meaning]) -> list[Meaning]:
    """The meanings with canonical expressions, names in their stored spelling, checked together with all the others.

    Raises DefinitionRefused for text that is no expression, for unknown names and for cycles, naming the way round.
    """
    spelling = {key_of(name): name for name in head} | {key_of(new.name): new.name for new in meanings}
    settled = [
        new if new.expression is None else replace(new, expression=_canonical(new, new.expression, spelling))
        for new in meanings
    ]
    if any(new.is_virtual for new in settled):
        try:
            build(Definitions(_together(head, settled), 0))
        except CyclicDefinition as error:
            raise DefinitionRefused(
                f"The definition would be circular: {' → '.join(error.cycle)}. Take one of these names out.",
                field="expression",
            ) from error
    return settled


def _canonical(new: Meaning, text: str, spelling: dict[str, str]) -> str:
    try:
        expression = parse(text)
    except LumiError as error:
        raise DefinitionRefused(f"The expression of {new.name}: {error}", field="expression") from error
    unknown = [name for name in expression.names if key_of(name) not in spelling]
    if unknown:
        meant = did_you_mean(unknown[0], spelling.values())
        raise DefinitionRefused(
            f"The expression of {new.name} names what is not defined: {', '.join(unknown[:20])}.{meant} "
            "Define it first.",
            field="expression",
        )
    if key_of(new.name) in {key_of(name) for name in expression.names}:
        raise DefinitionRefused(f"{new.name} cannot be defined by itself: {new.name} → {new.name}.", field="expression")
    return str(expression.renamed({name: spelling[key_of(name)] for name in expression.names}))


def _together(head: Definitions, settled: Iterable[Meaning]) -> dict[str, Meaning]:
    """All definitions as they will be stored; expressions of others follow a defect that is renamed."""
    settled = list(settled)
    replaced = {new.defect for new in settled if new.defect}
    names = {head.by_defect[new.defect].name: new.name for new in settled if new.defect}
    names = {old: new for old, new in names.items() if old != new}
    found = {name: old for name, old in head.items() if old.defect not in replaced}
    found |= {new.name: new for new in settled}
    return {name: renamed(meaning, names) for name, meaning in found.items()} if names else found


def renamed(meaning: Meaning, names: dict[str, str]) -> Meaning:
    """The same definition with other defects' new names in its expression."""
    if meaning.expression is None:
        return meaning
    return replace(meaning, expression=str(parse(meaning.expression).renamed(names)))


def dependents_rewritten(head: Definitions, before: Meaning, wanted: Meaning) -> list[Meaning]:
    """The other definitions of HEAD that name the defect, with its new name; tags keep the old one."""
    names = {before.name: wanted.name}
    rewritten = [renamed(meaning, names) for meaning in head.virtuals() if meaning.defect != before.defect]
    return [
        replace(new, since=wanted.since) for new in rewritten if new.expression != head.by_defect[new.defect].expression
    ]


def difference(before: Meaning, after: Meaning) -> dict[str, list[Any]]:
    """field -> [before, after] for what differs, in the words of the contract."""
    pairs = {
        "name": (before.name, after.name),
        "system": (before.system_code, after.system_code),
        "description": (before.description, after.description),
        "expression": (before.expression, after.expression),
        "intolerable": (before.intolerable, after.intolerable),
        "needs_comment": (before.needs_comment, after.needs_comment),
    }
    return {field: [old, new] for field, (old, new) in pairs.items() if old != new}


def summary_of_change(before: Meaning, wanted: Meaning, rewritten: int) -> str:
    if before.name == wanted.name:
        return f"{wanted.name}: {', '.join(difference(before, wanted))} changed"
    also = f"; {rewritten} expression{'s' if rewritten > 1 else ''} rewritten" if rewritten else ""
    return f"{before.name} renamed to {wanted.name}{also}"
