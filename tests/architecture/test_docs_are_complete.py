"""What an operator, an auditor or a visitor meets has its place in the docs, and the docs name nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from certifier.audit.models import AuditEvent
from certifier.ops.metrics import FIGURES
from certifier.schedule import SCHEDULE
from tests.needs import REPOSITORY

CERTIFIER = REPOSITORY / "certifier"
OPERATE = (REPOSITORY / "docs" / "operate.md").read_text()
PAGES = (REPOSITORY / "docs" / "pages.md").read_text()
ENVIRONMENT = re.compile(r"""\benv\.\w+\(\s*"([A-Z_]+)\"""")


def section(title: str) -> str:
    """From the heading `## title` to the next of its kind."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", OPERATE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/operate.md has no section “{title}”."
    return found[1]


def python_files() -> list[Path]:
    return [path for path in CERTIFIER.rglob("*.py") if "migrations" not in path.parts]


# --- settings


def variables() -> set[str]:
    return set(ENVIRONMENT.findall((CERTIFIER / "settings.py").read_text()))


def test_every_environment_variable_has_a_heading_and_no_heading_is_stale() -> None:
    headings = set(re.findall(r"^### ([A-Z_]+)$", section("Environment variables"), re.MULTILINE))
    assert headings == variables()


# --- commands


def commands() -> set[str]:
    found = {path.stem for path in CERTIFIER.glob("*/management/commands/*.py")} - {"__init__"}
    assert {"serve", "create_token"} <= found
    return found


def test_every_command_has_a_row_and_no_row_is_stale() -> None:
    rows = set(re.findall(r"^\| `manage\.py (\w+)", section("Commands"), re.MULTILINE))
    assert rows - {"migrate"} == commands()


# --- audit events


def codes() -> set[str]:
    found: set[str] = set()
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "audit":
                found |= set(literals(node.args[0], path))
    return found


def literals(node: ast.expr, path: Path) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body, path)
        yield from literals(node.orelse, path)
    else:
        raise AssertionError(f"{path}:{node.lineno}: write the audit code out, so that it can be found.")


def test_every_audit_code_has_a_row_and_no_row_is_stale() -> None:
    rows = set(re.findall(r"`([a-z]+\.[a-z_]+)`", section("Audit events")))
    assert rows == codes()


def test_every_audit_code_is_room_and_verb_and_fits_its_column() -> None:
    longest = AuditEvent._meta.get_field("code").max_length
    for code in codes():
        room, _, verb = code.partition(".")
        assert (CERTIFIER / room).is_dir(), code
        assert verb, code
        assert len(code) <= (longest or 0), code


# --- periodic work and metrics


def test_every_periodic_task_has_a_row_and_no_row_is_stale() -> None:
    rows = set(re.findall(r"^\| `([a-z]+\.[a-z_]+)`", section("Background work"), re.MULTILINE))
    assert rows == {entry["task"] for entry in SCHEDULE.values()}


def test_every_periodic_task_is_one_a_worker_knows() -> None:
    from certifier.celery import app

    app.loader.import_default_modules()
    assert {entry["task"] for entry in SCHEDULE.values()} <= set(app.tasks)


def test_every_metric_has_a_row() -> None:
    rows = set(re.findall(r"`(certifier_\w+)`", section("Health")))
    assert {figure.name for figure in FIGURES} <= rows


# --- pages


def names(resolver: URLResolver, above: tuple[str, ...] = ()) -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield ":".join([*above, pattern.name or str(pattern.pattern)])
        elif pattern.namespace not in {"admin", "api"}:  # docs/api.md has its own test
            yield from names(pattern, (*above, pattern.namespace) if pattern.namespace else above)


def test_every_page_has_a_row_and_no_row_is_stale() -> None:
    rows = {name for row in re.findall(r"^\| (`.*?) \|", PAGES, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}
    assert rows == set(names(get_resolver()))


# --- links


DOCUMENTS = [path.relative_to(REPOSITORY) for path in (*REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("*.md"))]


@pytest.mark.parametrize("document", sorted(DOCUMENTS), ids=str)
def test_a_document_links_to_what_is_there(document: Path) -> None:
    path = REPOSITORY / document
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"
