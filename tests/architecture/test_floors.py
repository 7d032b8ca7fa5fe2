"""A room imports only rooms on floors below it: the contracts of pyproject.toml hold, and name every room."""

from __future__ import annotations

import subprocess
import sys
import tomllib

from tests.needs import REPOSITORY


def contracts() -> list[dict[str, object]]:
    found = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert isinstance(found, list)
    return found


def test_the_contracts_hold() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    linted = subprocess.run(
        [*command, "--no-logo", "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout
    assert "0 broken" in linted.stdout


def test_every_room_stands_on_a_floor() -> None:
    layers = next(contract["layers"] for contract in contracts() if contract["type"] == "layers")
    assert isinstance(layers, list)
    named = {room.strip(" ()") for layer in layers for room in layer.split("|")}
    rooms = {path.parent.name for path in (REPOSITORY / "certifier").glob("*/__init__.py")}
    assert rooms <= named
    # From the bottom up, as the design says.
    order = [room for layer in reversed(layers) for room in layer.replace("(", "").replace(")", "").split(" | ")]
    assert order[:6] == ["lumi", "audit", "accounts", "ops", "runs", "defects"]
