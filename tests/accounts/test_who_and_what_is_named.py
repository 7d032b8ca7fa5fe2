"""A system or an account that somebody names is found in one way: ignoring case, and only whoever may still act."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from certifier.accounts.errors import NoSuchSystem, NoSuchUser, SeveralUsers, UserSwitchedOff
from certifier.accounts.models import System, User
from certifier.accounts.selectors import system_named, user_named
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("code", ["LAR", "lar", "Lar"])
def test_a_system_is_found_ignoring_case(lar: System, code: str) -> None:
    assert system_named(code) == lar


@pytest.mark.parametrize("code", ["LA", "", "LAR\0", "é", 3, None, "x" * 500])
def test_one_that_is_not_there_is_refused_by_naming_those_that_are(lar: System, code: Any) -> None:
    with pytest.raises(NoSuchSystem) as refused:
        system_named(code)
    assert refused.value.errors[0]["field"] == "system"
    assert refused.value.message.endswith("TRIG_L1.")
    assert "LAR" in refused.value.message
    assert len(refused.value.message) < 200


def test_of_many_systems_the_likely_ones_are_named() -> None:
    for number in range(20):
        cast.make_system(f"MUON_{number:02}")
    cast.make_system("PIXEL")
    with pytest.raises(NoSuchSystem, match=r"There is no system “PIXLE”\. Did you mean PIXEL\?"):
        system_named("PIXLE")
    with pytest.raises(NoSuchSystem, match=r"MUON_11 and 9 more\."):
        system_named("zzz")


def test_where_there_is_none_it_is_said_how_to_define_one() -> None:
    with pytest.raises(NoSuchSystem, match="POST /api/v1/systems/"):
        system_named("LAR")


@pytest.mark.parametrize("name", ["ada", "ADA", "Ada"])
def test_an_account_is_found_ignoring_case(ada: User, name: str) -> None:
    assert user_named(name) == ada


@pytest.mark.parametrize("name", ["", "ad", "ada\0", "é"])
def test_one_that_nobody_has_is_refused_by_saying_how_to_make_it(ada: User, name: str) -> None:
    with pytest.raises(NoSuchUser, match=r"manage\.py add_user"):
        user_named(name)


def test_whoever_is_switched_off_is_nobody_to_act_for(ada: User) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(UserSwitchedOff, match="The account ada is switched off"):
        user_named("Ada")


def test_names_that_differ_in_case_only_are_told_apart_by_their_case(ada: User) -> None:
    """The program makes no such accounts; Django's own pages do."""
    other = User.objects.create(username="ADA")
    assert (user_named("ada"), user_named("ADA")) == (ada, other)
    with pytest.raises(SeveralUsers, match="ADA or ada"):
        user_named("Ada")
    User.objects.filter(pk=other.pk).update(is_active=False)
    assert user_named("Ada") == ada


COMMANDS = {
    "import_runs": [],
    "import_defects": [],
    "import_good_runs": [],
    "import_histograms": ["--run", "1", "--dataset", "x"],
    "import_labels": ["--label", "good", "--defect", "X"],
    "sync": [],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_writes_in_somebodys_name_asks_in_this_way(command: str, ada: User, tmp_path: Path) -> None:
    file = tmp_path / "file.csv"
    file.write_text("nothing")

    def said(name: str) -> str:
        with pytest.raises(CommandError) as refused:
            call_command(
                command, str(file), *COMMANDS[command], "--user", name, stdout=io.StringIO(), stderr=io.StringIO()
            )
        return str(refused.value)

    assert "There is no user “nobody”" in said("nobody")
    # Ada is found: what is refused is the file.
    assert "user" not in said("ADA")
    User.objects.update(is_active=False)
    assert "The account ada is switched off" in said("ada")
