from __future__ import annotations

from certifier.audit.errors import CertifierError, Conflict


class TrendRefused(CertifierError):
    """A picture that cannot be drawn or kept; the message names the place, `field` the field."""


class NameTaken(Conflict):
    """A trend of that name is kept already."""
