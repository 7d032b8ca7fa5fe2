"""Which other programs are told: defining a webhook, changing it, switching it off."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.accounts.services import exists_already
from certifier.audit.unit import unit_of_work

from .addresses import check_url
from .errors import SecretUnreadable, WebhookExists, WebhookRefused
from .models import EVENT_KINDS, Webhook
from .sealing import seal, sealed_anew

LONGEST_NAME: Final = 80


@dataclass(frozen=True)
class Wish:
    """What a webhook is to be. No kinds: all. No systems: all. With a person: what that person wants by webhook."""

    name: str
    url: str
    kinds: Sequence[str] = ()
    systems: Iterable[System] = ()
    person: User | None = None

    def check(self) -> None:
        """Raises WebhookRefused, of which AddressRefused is one."""
        if not self.name.strip() or len(self.name) > LONGEST_NAME:
            raise WebhookRefused(f"Give the webhook a name of {LONGEST_NAME} characters at most.", field="name")
        known = [str(kind) for kind in EVENT_KINDS]
        unknown = [kind for kind in self.kinds if kind not in known]
        if unknown:
            raise WebhookRefused(f"There is no kind “{unknown[0][:40]}”. Choose of {', '.join(known)}.", field="kinds")
        check_url(self.url)

    def said(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "kinds": list(self.kinds),
            "systems": sorted(system.code for system in self.systems),
            "person": self.person.get_username() if self.person else None,
        }


def define_webhook(*, actor: User | None, wish: Wish) -> tuple[Webhook, str]:
    """A new one, and its secret for who runs the receiver. The secret is returned this once."""
    secret = new_secret()
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_manage_webhooks(actor))
        wish.check()
        with exists_already(WebhookExists(f"There is a webhook {wish.name} already. Choose another name.")):
            webhook = Webhook.objects.create(
                name=wish.name.strip(),
                url=wish.url,
                kinds=list(wish.kinds),
                person=wish.person,
                sealed_secret=seal(secret),
                by=actor,
                at=timezone.now(),
            )
        webhook.systems.set(wish.systems)
        unit.audit("notices.define_webhook", f"webhook {webhook.name}", wish.said())
    return webhook, secret


def change_webhook(*, actor: User | None, webhook: Webhook, wish: Wish) -> Webhook:
    """What waits for it goes to the new address. Its secret stays."""
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_manage_webhooks(actor))
        wish.check()
        webhook = Webhook.objects.select_for_update(no_key=True).get(pk=webhook.pk)
        webhook.name, webhook.url, webhook.kinds = wish.name.strip(), wish.url, list(wish.kinds)
        webhook.person = wish.person
        with exists_already(WebhookExists(f"There is a webhook {wish.name} already. Choose another name.")):
            webhook.save(update_fields=["name", "url", "kinds", "person"])
        webhook.systems.set(wish.systems)
        unit.audit("notices.change_webhook", f"webhook {webhook.name}", wish.said())
    return webhook


def switch_webhook(*, actor: User | None, webhook: Webhook, on: bool) -> Webhook:
    """Off: nothing new is written for it, and what waits is given up when its time comes. Its row stays."""
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_manage_webhooks(actor))
        if Webhook.objects.filter(pk=webhook.pk, is_active=not on).update(is_active=on):
            unit.audit("notices.switch_webhook", f"webhook {webhook.name}", {"on": on})
    webhook.is_active = on
    return webhook


def renew_secret(*, actor: User | None, webhook: Webhook) -> str:
    """Sign with a new secret from the next request on. It is returned this once."""
    secret = new_secret()
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_manage_webhooks(actor))
        webhook.sealed_secret = seal(secret)
        Webhook.objects.filter(pk=webhook.pk).update(sealed_secret=webhook.sealed_secret)
        unit.audit("notices.renew_secret", f"webhook {webhook.name}")
    return secret


def reseal_secrets(*, actor: User | None) -> tuple[int, list[str]]:
    """Encrypt with the key of now what lies under an older one: how many there were, and the names of those that no key
    opens, which stay as they are. Secrets themselves do not change."""
    done, unreadable = 0, []
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_manage_webhooks(actor))
        for webhook in Webhook.objects.select_for_update(no_key=True):
            try:
                sealed = sealed_anew(webhook.sealed_secret)
            except SecretUnreadable:
                unreadable.append(webhook.name)
                continue
            if sealed is not None:
                webhook.sealed_secret = sealed
                webhook.save(update_fields=["sealed_secret"])
                unit.audit("notices.reseal_secret", f"webhook {webhook.name}")
                done += 1
    return done, unreadable


def new_secret() -> str:
    return secrets.token_urlsafe(32)
