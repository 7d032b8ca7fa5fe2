"""What can be wrong with what people ask of this room."""

from __future__ import annotations

from certifier.audit.errors import CertifierError, Conflict, NotFound


class NoticesMissing(NotFound):
    """A notice of that number is not among the person's own."""


class PreferenceRefused(CertifierError):
    """There is no such kind or channel."""


class WebhookRefused(CertifierError):
    """The webhook cannot be as asked; the message says why."""


class WebhookExists(Conflict):
    """Another webhook has that name."""


class NotToBeSent(Conflict):
    """The delivery is on its way already, or has arrived."""


class SecretUnreadable(CertifierError):
    """The secret was encrypted with a key that this installation does not have, or was changed since."""

    def __init__(self) -> None:
        super().__init__(
            "Its secret cannot be read with the keys of this installation: name the old key in "
            "STORED_SECRETS_OLD_KEYS, or give the webhook a new secret."
        )


class AddressRefused(WebhookRefused):
    """Nothing is sent to this address; the message says why."""
