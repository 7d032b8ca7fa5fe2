"""The admin site shows what services write and changes none of it."""

from __future__ import annotations

import pytest
from django.contrib.admin import site
from django.test import Client

from certifier.accounts.models import User
from certifier.audit.admin import ReadOnlyAdmin
from certifier.audit.append_only import AppendOnlyModel
from certifier.audit.models import AuditEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client: Client) -> Client:
    user = User.objects.create_superuser("root", password="a long one")
    client.force_login(user)
    return client


def test_an_event_is_shown_and_has_no_buttons(root: Client) -> None:
    event = AuditEvent.objects.create(actor_name="ada", code="a.b", subject="run 350479", request_id="r")
    shown = root.get(f"/admin/audit/auditevent/{event.pk}/change/")
    assert shown.status_code == 200
    assert "run 350479" in shown.content.decode()
    assert 'name="_save"' not in shown.content.decode()
    assert root.post(f"/admin/audit/auditevent/{event.pk}/delete/", {"post": "yes"}).status_code == 403
    assert root.get("/admin/audit/auditevent/add/").status_code == 403


def test_whatever_is_append_only_and_registered_is_read_only() -> None:
    for model, admin in site._registry.items():
        if issubclass(model, AppendOnlyModel):
            assert isinstance(admin, ReadOnlyAdmin), model


def test_every_list_of_the_admin_site_opens(root: Client) -> None:
    for model in site._registry:
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert root.get(address).status_code == 200, address
