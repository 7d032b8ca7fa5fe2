"""The accounts of the demo world, as the command that loads it wrote them down. Elsewhere there is no such file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FILE = "demo_accounts.txt"
QUOTED = re.compile("“(.+?)”")
ROW = re.compile(r"(?P<name>[\w.@+-]+) +[^,:]+, (?P<words>.+)")


@dataclass(frozen=True)
class DemoAccounts:
    """`accounts` are pairs: the name, and what its roles are in words."""

    password: str
    accounts: list[tuple[str, str]]


def read(folder: Path) -> DemoAccounts | None:
    """None where no demo was loaded. Raises nothing: the sign-in page must stand whatever the file holds."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return parse(text)


def parse(text: str) -> DemoAccounts | None:
    """From a line with the password in “quotes”, and below it lines `NAME  Full Name, what they are`."""
    password = QUOTED.search(text)
    rows = [ROW.fullmatch(line.rstrip()) for line in text.splitlines() if not line.endswith(":")]
    accounts = [(row["name"], row["words"]) for row in rows if row]
    return DemoAccounts(password[1], accounts) if password and accounts else None
