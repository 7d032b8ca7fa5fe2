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


class AddressRefused(WebhookRefused):
    """Nothing is sent to this address; the message says why."""
