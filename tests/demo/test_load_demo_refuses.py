"""The demo is for an empty database, and a load that breaks off leaves it empty."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from certifier.accounts.models import System, User
from certifier.defects.models import Defect
from certifier.demo import finish, load
from certifier.runs.models import Change, Run

pytestmark = pytest.mark.django_db


def test_it_refuses_a_database_with_runs_of_somebody(make_run: Callable[..., Run]) -> None:
    make_run(1)
    with pytest.raises(CommandError, match="an empty one"):
        call_command("load_demo", stdout=StringIO(), stderr=StringIO())
    assert not System.objects.exists()


def test_it_leaves_nothing_when_it_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load.Loader, "live_through", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call_command("load_demo", stdout=StringIO(), stderr=StringIO())
    for model in (Run, System, User, Defect, Change):
        assert not model._default_manager.exists()
    assert not finish.accounts_file().exists()
