"""What is served from static/vendor is exactly what its manifest says, and came with its licence."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).resolve().parents[2] / "static" / "vendor"


def packages() -> list[dict[str, Any]]:
    return tomllib.loads((VENDOR / "vendor.toml").read_text())["package"]


def test_it_names_every_file_and_nothing_else() -> None:
    listed = {entry["file"] for package in packages() for entry in package["file"]}
    present = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()} - {"vendor.toml"}
    assert listed == present


def test_it_holds_the_hash_of_every_file() -> None:
    for package in packages():
        for entry in package["file"]:
            digest = hashlib.sha256((VENDOR / entry["file"]).read_bytes()).hexdigest()
            assert digest == entry["sha256"], (
                f"{entry['file']} is not what vendor.toml says; renew the file or the entry."
            )


def test_it_tells_name_version_and_licence_and_carries_the_licence() -> None:
    for package in packages():
        assert {"name", "npm", "version", "licence"} <= package.keys()
        assert any(Path(entry["file"]).name.startswith("LICENSE") for entry in package["file"])


def test_it_serves_the_version_it_names() -> None:
    for package in packages():
        scripts = [entry["file"] for entry in package["file"] if entry["file"].endswith(".js")]
        assert scripts
        for script in scripts:
            assert package["version"] in (VENDOR / script).read_text()[:400]
