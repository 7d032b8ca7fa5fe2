"""The role admin opens Django's administration pages, and losing it closes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from certifier.accounts import services
from certifier.accounts.models import User

pytestmark = pytest.mark.django_db

PAGES = ["/admin/", "/admin/accounts/user/", "/admin/accounts/rolegrant/add/", "/admin/audit/auditevent/"]


@pytest.mark.parametrize("address", PAGES)
def test_they_open_for_an_administrator(address: str, ova: User, page: Callable[[User], Client]) -> None:
    assert page(ova).get(address).status_code == 200


@pytest.mark.parametrize("address", PAGES)
def test_they_send_a_coordinator_away(address: str, chi: User, page: Callable[[User], Client]) -> None:
    assert page(chi).get(address).status_code == 302


def test_they_close_when_the_role_is_taken_away(ova: User, page: Callable[[User], Client]) -> None:
    services.revoke_role(actor=None, user=ova, role="admin")
    assert page(ova).get("/admin/").status_code == 302


def test_append_only_rows_cannot_be_changed_there(ova: User, page: Callable[[User], Client]) -> None:
    assert page(ova).get("/admin/audit/auditevent/add/").status_code == 403
