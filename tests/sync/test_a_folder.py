"""A folder: every file once, a changed one again, none while it is written."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from certifier.runs.models import Run
from certifier.sync import services
from certifier.sync.errors import SourceFailed
from certifier.sync.models import Outcome, Pass
from certifier.sync.sources import Source

pytestmark = pytest.mark.django_db


def drop(folder: Path, name: str, text: str, *, age_s: float = 60) -> None:
    (folder / name).write_text(text)
    then = time.time() - age_s
    os.utime(folder / name, (then, then))


def runs(*numbers: int, **facts: Any) -> str:
    return json.dumps({"runs": [{"run": number, "lumisections": 10, **facts} for number in numbers]})


def follow(folder: Path) -> Pass:
    return services.follow(actor=None, source=Source("files", "folder", str(folder)), progress=lambda *_: None)


def test_each_file_is_read_once_and_again_when_it_changed(tmp_path: Path) -> None:
    drop(tmp_path, "a.json", runs(1, 2))
    assert follow(tmp_path).counts["runs_created"] == 2
    assert follow(tmp_path).counts == {}
    drop(tmp_path, "b.json", runs(3))
    drop(tmp_path, "a.json", runs(1, 2, period="B"))
    counts = follow(tmp_path).counts
    assert (counts["runs_created"], counts["runs_updated"]) == (1, 2)
    drop(tmp_path, "a.json", runs(1, 2, period="B"), age_s=30)  # touched, not changed
    assert follow(tmp_path).counts == {}


def test_what_is_still_written_waits(tmp_path: Path) -> None:
    drop(tmp_path, "a.json", runs(1), age_s=0)
    drop(tmp_path, ".a.json.part", runs(2))
    assert follow(tmp_path).counts == {}
    drop(tmp_path, "a.json", runs(1))
    assert follow(tmp_path).counts["runs_created"] == 1


def test_a_file_that_cannot_be_read_is_named_until_it_can(tmp_path: Path) -> None:
    drop(tmp_path, "bad.json", '{"runs": [')
    drop(tmp_path, "good.json", runs(1))
    row = follow(tmp_path)
    assert row.outcome == Outcome.REFUSED
    assert row.words.startswith("bad.json: ")
    assert Run.objects.count() == 1
    assert follow(tmp_path).outcome == Outcome.REFUSED
    drop(tmp_path, "bad.json", runs(2))
    assert follow(tmp_path).outcome == Outcome.DONE
    assert Run.objects.count() == 2


def test_a_folder_that_is_not_there_fails_in_words(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="nowhere cannot be read: No such file"):
        follow(tmp_path / "nowhere")
    assert Pass.objects.get().outcome == Outcome.FAILED
