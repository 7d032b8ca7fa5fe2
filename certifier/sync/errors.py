from __future__ import annotations

from certifier.audit.errors import CertifierError, Conflict, NotFound


class BadSource(CertifierError):
    """A source is configured wrongly; the message names it and says what to write."""


class UnknownSource(NotFound):
    """No source of that name is configured."""


class SourceFailed(CertifierError):
    """A source did not answer, or not as such a source does. What was read before is kept; the next pass goes on."""


class FollowedElsewhere(Conflict):
    """Another process follows the same source now."""
