"""Secrets as they lie in the database: encrypted, so that a stolen dump or backup of it signs nothing.

The key is made from STORED_SECRETS_KEY. Fernet (AES-128 in CBC mode under an HMAC-SHA256) refuses whatever was changed
or sealed with another key. Old keys open what was sealed with them and seal nothing any more.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from django.conf import settings

from .errors import SecretUnreadable

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

# Keys of the same setting that are for something else are others.
PURPOSE: Final = b"certifier.stored-secrets"


def seal(secret: str) -> str:
    """With the key of now. The same secret is sealed differently each time."""
    return _keys().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """Raises SecretUnreadable where none of the keys fits."""
    from cryptography.fernet import InvalidToken

    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable from None


def sealed_anew(sealed: str) -> str | None:
    """The same secret under the key of now; None where it is already. Raises SecretUnreadable."""
    from cryptography.fernet import Fernet, InvalidToken

    try:
        Fernet(_derived(settings.STORED_SECRETS_KEY)).decrypt(sealed.encode())
    except InvalidToken:
        return seal(unseal(sealed))
    return None


def _keys() -> MultiFernet:
    # SECRET_KEY is the default of the setting: who sets a key of its own goes on reading what there is.
    return _opened((settings.STORED_SECRETS_KEY, *settings.STORED_SECRETS_OLD_KEYS, settings.SECRET_KEY))


@lru_cache(maxsize=4)
def _opened(keys: tuple[str, ...]) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(_derived(key)) for key in dict.fromkeys(keys)])


def _derived(key: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    made = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(key.encode())
    return base64.urlsafe_b64encode(made)
