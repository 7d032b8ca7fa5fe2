"""`manage.py sync SOURCE` says what came, and fails where something was not written."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from certifier.accounts.models import User
from certifier.audit.models import AuditEvent
from tests.sync.answering import answering, bits_of, oms, run_of

pytestmark = pytest.mark.django_db


def test_it_says_what_came_and_in_whose_name(settings: Any, chi: User, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(oms([run_of(355100)], bits_of(355100, 3))) as server:
        settings.SYNC_SOURCES = {"oms": {"kind": "oms", "address": server.address}}
        call_command("sync", "oms", user="chi")
    assert "oms: 1 new run, 3 lumisections changed" in capsys.readouterr().out
    assert AuditEvent.objects.get(code="sync.follow").actor == chi


def test_a_run_that_was_not_written_makes_it_fail(settings: Any) -> None:
    bits = bits_of(355100, 3, delivered_lumi_per_lumisection=-2)
    with answering(oms([run_of(355100)], bits)) as server:
        settings.SYNC_SOURCES = {"oms": {"kind": "oms", "address": server.address}}
        with pytest.raises(CommandError, match="asked for again by the next pass"):
            call_command("sync", "oms")


def test_what_is_no_source_and_who_may_not(settings: Any, ben: User) -> None:
    settings.SYNC_SOURCES = {"files": {"kind": "folder", "address": "/nowhere/at/all"}}
    with pytest.raises(CommandError, match="there are files"):
        call_command("sync", "oms")
    with pytest.raises(CommandError, match="coordinator"):
        call_command("sync", "files", user="ben")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("sync", "files")
