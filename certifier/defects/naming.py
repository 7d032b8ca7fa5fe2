"""What a defect and a tag may be called, and which name somebody probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from certifier.audit.errors import CertifierError

MAX_NAME = 100
NAME = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
TAG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
KEYWORDS = frozenset({"and", "or", "not"})
HEAD = "HEAD"


def quoted(text: str) -> str:
    """The text as a message shows it: in quotes, and short whatever it is."""
    return f"“{text[:60]}{'…' if len(text) > 60 else ''}”"


def key_of(name: str) -> str:
    """What two spellings of one name have in common."""
    return name.lower()


def check_name(name: str, *, field: str = "name") -> str:
    """The name of a defect, as it is; CertifierError when it cannot be one."""
    if not NAME.fullmatch(name):
        raise CertifierError(
            f"{quoted(name)} is not a defect name: use ASCII letters, digits and underscores.", field=field
        )
    if len(name) > MAX_NAME:
        raise CertifierError(
            f"{quoted(name)} has {len(name)} characters; a defect name has at most {MAX_NAME}.", field=field
        )
    if key_of(name) in KEYWORDS:
        raise CertifierError(f"“{name}” is a word of the expression language; choose another name.", field=field)
    return name


def check_tag_name(name: str, *, field: str = "name") -> str:
    """The name of a tag, as it is; CertifierError when it cannot be one."""
    if not TAG_NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise CertifierError(
            f"{quoted(name)} is not a tag name: use up to {MAX_NAME} ASCII letters, digits, points, dashes and "
            "underscores, beginning with a letter or digit.",
            field=field,
        )
    if key_of(name) == key_of(HEAD):
        raise CertifierError("HEAD is what is true now and cannot be a tag; choose another name.", field=field)
    return name


def nearest(name: str, known: Collection[str]) -> list[str]:
    """Up to three known names that the unknown one may have been meant to be, the likeliest first."""
    by_key = {key_of(candidate): candidate for candidate in known}
    close = difflib.get_close_matches(key_of(name[:MAX_NAME]), by_key, n=3, cutoff=0.75)
    return [by_key[key] for key in close]


def did_you_mean(name: str, known: Collection[str]) -> str:
    """` Did you mean A, B or C?`, or nothing."""
    close = nearest(name, known)
    if not close:
        return ""
    *others, last = close
    return f" Did you mean {', '.join(others)} or {last}?" if others else f" Did you mean {last}?"
