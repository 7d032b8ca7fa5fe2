"""Rules about files: how long, how called, what they must not hold."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.needs import REPOSITORY

LONGEST = 600
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "functions", "mixins"}
CODE = {".py", ".html", ".js", ".css"}
NOT_OURS = re.compile(r"(^|/)(migrations|vendor)/")
TOP_LEVEL = {
    ".ci", ".dockerignore", ".editorconfig", ".gitattributes", ".gitignore", ".pre-commit-config.yaml",
    "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "benchmarks", "certifier", "docker",
    "docs", "manage.py", "mlcore", "pyproject.toml", "requirements-dev.txt", "requirements.txt", "static",
    "templates", "tests",
}  # fmt: skip
# Built in pieces, so that this file does not hold what it looks for.
REGISTRIES = ("pypi" + ".org", "pythonhosted" + ".org", "registry.npmjs" + ".org", "registry.yarnpkg" + ".com")


def tracked() -> list[str]:
    """Files of this commit; where there is no git, every file that is not built or local."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [name for name in listed.stdout.split("\0") if name and (REPOSITORY / name).is_file()]
    found = [path.relative_to(REPOSITORY) for path in REPOSITORY.rglob("*") if path.is_file()]
    return [str(path) for path in found if path.parts[0] in TOP_LEVEL and "__pycache__" not in path.parts]


TRACKED = tracked()
OURS = [name for name in TRACKED if not NOT_OURS.search(name)]


def text_of(name: str) -> str:
    return (REPOSITORY / name).read_text(errors="replace")


def test_no_file_is_too_long_to_be_read() -> None:
    lengths = {name: text_of(name).count("\n") for name in OURS if Path(name).suffix in CODE}
    too_long = {name: lines for name, lines in lengths.items() if lines > LONGEST}
    assert too_long == {}, "one concept each: split them"


def test_no_module_has_a_name_that_says_nothing() -> None:
    nameless = [name for name in OURS if FORBIDDEN_NAMES & set(Path(name).with_suffix("").parts)]
    assert nameless == []


def test_every_room_names_its_tests() -> None:
    for name in OURS:
        path = Path(name)
        if path.parts[0] == "tests" and path.name.startswith("test") and path.suffix == ".py":
            assert path.name.startswith("test_"), name
            assert len(path.parts) >= 3, f"{name}: a test belongs to a room's folder"


def test_the_top_level_is_readable_in_a_minute() -> None:
    assert {Path(name).parts[0] for name in TRACKED} <= TOP_LEVEL


def test_nothing_is_fetched_from_elsewhere_by_a_page() -> None:
    source = re.compile(r"""(src|href)=["']?(https?:)?//|@import|url\(\s*["']?(https?:)?//""")
    pages = [name for name in OURS if Path(name).suffix in {".html", ".css"}]
    fetching = [name for name in pages if source.search(text_of(name))]
    assert fetching == []


@pytest.mark.parametrize("words", REGISTRIES)
def test_no_file_names_a_package_registry(words: str) -> None:
    assert [name for name in OURS if words in text_of(name)] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    path = re.compile(r"(?<![\w./-])/" + r"(work|root|home/\w+)/")
    # As a URL of ours, or in a shell's own words, such a path would be fine; there is none so far.
    naming = [name for name in OURS if Path(name).suffix not in {".xml"} and path.search(text_of(name))]
    assert naming == []


def test_nothing_swallows_an_error() -> None:
    silent = re.compile(r"except( Exception| BaseException)?:\s*(#.*)?\n\s+pass\b")
    assert [name for name in OURS if name.endswith(".py") and silent.search(text_of(name))] == []


def test_every_room_writes_postponed_annotations() -> None:
    with_code = [
        name for name in OURS if name.endswith(".py") and re.search(r"^(import|from|def|class) ", text_of(name), re.M)
    ]
    assert [name for name in with_code if "from __future__ import annotations" not in text_of(name)] == []
