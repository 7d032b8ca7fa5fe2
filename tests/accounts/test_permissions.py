"""Who may do what: every predicate, every role, and one person who is refused for each."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from certifier.accounts import permissions, services
from certifier.accounts.models import Role, System, User
from certifier.accounts.permissions import NotAllowed, require

pytestmark = pytest.mark.django_db

EVERYBODY = {"viewer", "ada", "ben", "chi", "ova"}

# What is done -> who may. "ada" is expert of LAR, and LAR is what it is done to unless PIXEL is named.
MAY = {
    "view": EVERYBODY,
    "write_runs": {"chi", "ova"},
    "record_defects LAR": {"ada", "ben", "chi", "ova"},
    "record_defects PIXEL": {"ben", "chi", "ova"},
    "define_defects LAR": {"ada", "chi", "ova"},
    "define_defects PIXEL": {"chi", "ova"},
    "tag": {"chi", "ova"},
    "sign LAR express": {"ada", "ben", "chi", "ova"},
    "sign LAR bulk": {"ada", "chi", "ova"},
    "sign PIXEL express": {"ben", "chi", "ova"},
    "sign PIXEL final": {"chi", "ova"},
    "reopen LAR": {"ada", "chi", "ova"},
    "reopen PIXEL": {"chi", "ova"},
    "hand_over": {"ada", "ben", "chi", "ova"},
    "write_checklist LAR": {"ada", "chi", "ova"},
    "write_checklist PIXEL": {"chi", "ova"},
    "review LAR": {"ada", "chi", "ova"},
    "review PIXEL": {"chi", "ova"},
    "publish": {"chi", "ova"},
    "manage_systems": {"chi", "ova"},
    "change_elements": {"chi", "ova"},
    "manage_models": {"chi", "ova"},
    "set_mode": {"chi", "ova"},
    "score": {"chi", "ova"},
    "manage_people": {"ova"},
    "grant viewer": {"chi", "ova"},
    "grant shifter": {"chi", "ova"},
    "grant expert": {"chi", "ova"},
    "grant coordinator": {"ova"},
    "grant admin": {"ova"},
    "manage_jobs": {"chi", "ova"},
    "manage_webhooks": {"chi", "ova"},
    "train": {"chi", "ova"},
    "keep_trends": EVERYBODY,
    "draw_maps": {"ada", "ben", "chi", "ova"},
}


@pytest.fixture
def people(ada: User, ben: User, chi: User, dee: User, ova: User) -> dict[str, User]:
    viewer = services.create_user(actor=None, username="viewer")
    services.grant_role(actor=None, user=viewer, role=Role.VIEWER)
    return {user.username: user for user in (viewer, ada, ben, chi, dee, ova)}


def verdict(doing: str, user: object, systems: dict[str, System]) -> permissions.Verdict:
    name, *rest = doing.split()
    arguments = [systems.get(word, word) for word in rest]
    found: permissions.Verdict = getattr(permissions, f"can_{name}")(user, *arguments)
    return found


def test_the_table_names_every_predicate() -> None:
    predicates = {name.removeprefix("can_") for name in vars(permissions) if name.startswith("can_")}
    assert predicates == {doing.split()[0] for doing in MAY} | {"own_tokens"}


@pytest.mark.parametrize("doing", MAY)
def test_it_allows_exactly_these_people(doing: str, people: dict[str, User], systems: dict[str, System]) -> None:
    allowed = {name for name, user in people.items() if verdict(doing, user, systems)}
    assert allowed == MAY[doing]
    assert "dee" not in allowed


@pytest.mark.parametrize("doing", MAY)
def test_a_refusal_names_the_role_and_whom_to_ask(doing: str, dee: User, systems: dict[str, System]) -> None:
    refusal = verdict(doing, dee, systems)
    assert "needs the role" in refusal.reason
    assert refusal.reason.endswith("Ask an administrator to grant it.")
    assert "{system}" not in refusal.reason
    with pytest.raises(NotAllowed, match="needs the role"):
        require(refusal)


@pytest.mark.parametrize("doing", MAY)
def test_nobody_logged_in_may_nothing_and_the_installation_everything(doing: str, systems: dict[str, System]) -> None:
    assert not verdict(doing, AnonymousUser(), systems)
    assert verdict(doing, None, systems)


@pytest.mark.parametrize("doing", MAY)
def test_a_closed_account_may_nothing(doing: str, ova: User, systems: dict[str, System]) -> None:
    ova.is_active = False
    ova.save()
    assert not verdict(doing, User.objects.get(pk=ova.pk), systems)


def test_a_superuser_is_an_administrator(dee: User) -> None:
    dee.is_superuser = True
    assert permissions.can_manage_people(dee)


def test_everybody_owns_their_own_tokens_and_administrators_everybodys(people: dict[str, User]) -> None:
    ada, ova, dee = people["ada"], people["ova"], people["dee"]
    assert permissions.can_own_tokens(ada, ada)
    assert permissions.can_own_tokens(ova, ada)
    assert not permissions.can_own_tokens(people["chi"], ada)
    assert not permissions.can_own_tokens(dee, dee), "somebody without a role has nothing a script could do"


def test_roles_are_read_once_per_user(ada: User, lar: System, django_assert_num_queries: object) -> None:
    user = User.objects.get(pk=ada.pk)
    with django_assert_num_queries(1):  # type: ignore[operator]
        for _ in range(5):
            permissions.can_define_defects(user, lar)
            permissions.can_view(user)
