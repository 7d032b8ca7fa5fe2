"""Who steals the database has no secret of a webhook; keys can be changed without a message being lost."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.notices import outbox, posting, webhooks
from certifier.notices.errors import SecretUnreadable
from certifier.notices.models import Delivery, Webhook
from certifier.notices.sealing import seal, unseal
from tests.notices import world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("private_network")]


def dumped() -> str:
    """Every row of the room, as a dump of the database has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM notices_webhook")
        rows = cursor.fetchall()
        cursor.execute("SELECT * FROM audit_auditevent")
        return str(rows + cursor.fetchall())


def test_the_database_holds_no_secret_that_can_be_read() -> None:
    wish = webhooks.Wish(name="chat", url="https://chat.example.org/hook")
    webhook, secret = webhooks.define_webhook(actor=None, wish=wish)
    assert len(secret) == 43
    assert secret not in dumped()
    renewed = webhooks.renew_secret(actor=None, webhook=webhook)
    assert renewed != secret
    assert renewed not in dumped()
    assert world.secret_of(webhook) == renewed


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    assert seal("x") != seal("x")
    assert unseal(seal("x")) == "x"


@pytest.mark.parametrize("sealed", ["", "plain-as-it-was", "gAAAAA", "changed at its end"])
def test_what_was_changed_is_refused(sealed: str) -> None:
    if sealed == "changed at its end":
        sealed = seal("x")[:-6] + "AAAAA="
    with pytest.raises(SecretUnreadable, match="STORED_SECRETS_OLD_KEYS"):
        unseal(sealed)


def test_a_key_of_its_own_reads_what_lies_under_the_default(settings: Any) -> None:
    before = seal("x")
    settings.STORED_SECRETS_KEY = "a key of its own"
    assert unseal(before) == "x"
    after = seal("y")
    settings.STORED_SECRETS_KEY = settings.SECRET_KEY
    with pytest.raises(SecretUnreadable):
        unseal(after)
    settings.STORED_SECRETS_OLD_KEYS = ["another", "a key of its own"]
    assert unseal(after) == "y"


def test_without_its_key_nothing_is_sent_until_the_key_is_back(lar: System, settings: Any) -> None:
    settings.STORED_SECRETS_KEY = "last year's"
    with world.receiver(204) as receiver:
        webhook = world.define(receiver.url)
        secret = world.secret_of(webhook)
        settings.STORED_SECRETS_KEY = "this year's"
        world.stop_automation(lar)
        world.told()
        assert outbox.deliver() == {"sent": 0, "failed": 1, "given up": 0}
        assert "name the old key in STORED_SECRETS_OLD_KEYS" in Delivery.objects.get().last_error
        assert not receiver.received
        settings.STORED_SECRETS_OLD_KEYS = ["last year's"]
        Delivery.objects.update(next_at=timezone.now())
        assert outbox.deliver()["sent"] == 1
    (got,) = receiver.received
    said = (got.headers["Certifier-Timestamp"], got.headers["Certifier-Delivery"], got.body)
    assert got.headers["Certifier-Signature"] == posting.signature(secret, *said)


def test_after_a_change_of_keys_all_is_sealed_anew_and_the_old_key_forgotten(settings: Any) -> None:
    settings.STORED_SECRETS_KEY = "last year's"
    old = [world.define(f"https://chat.example.org/{name}", name=name) for name in ("chat", "board")]
    secrets = [world.secret_of(webhook) for webhook in old]
    settings.STORED_SECRETS_KEY, settings.STORED_SECRETS_OLD_KEYS = "this year's", ["last year's"]
    world.define("https://chat.example.org/new", name="new")
    out = io.StringIO()
    call_command("reseal_secrets", stdout=out)
    assert out.getvalue() == "2 secrets encrypted anew.\n"
    settings.STORED_SECRETS_OLD_KEYS = []
    assert [world.secret_of(webhook) for webhook in old] == secrets
    again = io.StringIO()
    call_command("reseal_secrets", stdout=again)
    assert again.getvalue() == "0 secrets encrypted anew.\n"


def test_what_no_key_opens_is_named_and_left_alone(settings: Any) -> None:
    settings.STORED_SECRETS_KEY = "lost"
    lost = world.define("https://chat.example.org/hook", name="lost one")
    settings.STORED_SECRETS_KEY = "last year's"
    world.define("https://chat.example.org/hook", name="old one")
    settings.STORED_SECRETS_KEY, settings.STORED_SECRETS_OLD_KEYS = "this year's", ["last year's"]
    with pytest.raises(CommandError, match="the secret of lost one"):
        call_command("reseal_secrets", stdout=io.StringIO())
    assert Webhook.objects.get(name="lost one").sealed_secret == lost.sealed_secret
    settings.STORED_SECRETS_OLD_KEYS = []
    assert world.secret_of(Webhook.objects.get(name="old one"))
    # A new secret needs no old key.
    assert webhooks.renew_secret(actor=None, webhook=lost) == world.secret_of(lost)


def test_experts_seal_nothing_anew(ada: User, ben: User) -> None:
    for person in (ada, ben):
        with pytest.raises(NotAllowed):
            webhooks.reseal_secrets(actor=person)


@pytest.mark.django_db(transaction=True)
def test_the_migration_seals_what_lay_open_and_opens_it_again() -> None:
    before, after = [("notices", "0003_trends")], [("notices", "0004_sealed_secrets")]
    executor = MigrationExecutor(connection)
    try:
        old = executor.migrate(before).apps.get_model("notices", "Webhook")
        row = old.objects.create(name="chat", url="https://chat.example.org/", secret="as it was", at=timezone.now())
        assert "as it was" in dumped()
        executor.loader.build_graph()
        executor.migrate(after)
        assert "as it was" not in dumped()
        assert world.secret_of(row) == "as it was"
        executor.loader.build_graph()
        assert executor.migrate(before).apps.get_model("notices", "Webhook").objects.get().secret == "as it was"
    finally:
        executor.loader.build_graph()
        executor.migrate(executor.loader.graph.leaf_nodes())
