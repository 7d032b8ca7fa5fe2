"""The commands in docs/api.md, typed into bash one after the other, print what the document shows."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.api.server import Server, serving
from tests.api.walk import Step, differences, steps
from tests.needs import REPOSITORY, lacking

WRITTEN = "http://127.0.0.1:8000"
DOCUMENT = REPOSITORY / "docs" / "api.md"

pytestmark = pytest.mark.django_db  # not for the test database: so that it runs on PostgreSQL too


def script(walk: list[Step], server: Server, folder: Path) -> str:
    """All steps in one shell, so that variables and functions last; what each prints goes to its own file."""
    lines = [f"cd {REPOSITORY}", "set -u"]
    for number, step in enumerate(walk):
        commands = step.commands.replace(WRITTEN, server.address)
        lines.append(
            f"{{\n{commands}}} > {folder}/{number}.out 2> {folder}/{number}.err || echo $? > {folder}/{number}.failed"
        )
    return "\n".join(lines)


def test_it_prints_what_the_document_shows(tmp_path: Path) -> None:
    for tool in ("bash", "curl"):
        if shutil.which(tool) is None:
            lacking(f"needs {tool}")
    walk = steps(DOCUMENT.read_text())
    assert len(walk) > 20
    with serving(tmp_path) as server:
        (tmp_path / "walk.sh").write_text(script(walk, server, tmp_path))
        subprocess.run(["bash", tmp_path / "walk.sh"], env=server.environment, check=True, timeout=300)
    wrong: list[str] = []
    for number, step in enumerate(walk):
        output = (tmp_path / f"{number}.out").read_text().replace(server.address, WRITTEN)
        if (tmp_path / f"{number}.failed").exists():
            wrong.append(f"line {step.line}: failed: {(tmp_path / f'{number}.err').read_text()}")
            break
        try:
            found = differences(step, output)
        except ValueError as error:
            found = [str(error)]
        if found:
            wrong += [f"line {step.line}: {difference}" for difference in found] + [f"  it printed {output[:3000]}"]
        if wrong:
            break  # what comes after builds on it
    assert not wrong, "\n".join(wrong)
