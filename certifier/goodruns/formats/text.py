"""From the bytes of a file to its text."""

from __future__ import annotations

from .errors import FormatError

UTF8_BOM = "\ufeff"


def decode(data: bytes | str) -> tuple[str, tuple[str, ...]]:
    """The text without a byte order mark, and remarks on what was done. Raises FormatError unless it is UTF-8
    text.
    """
    if isinstance(data, str):
        text = data
    else:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise FormatError("the file is UTF-16; save it as UTF-8.")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise FormatError(f"byte {error.start} is not UTF-8; save the file as UTF-8 text.", line=line) from None
    if "\0" in text:
        raise FormatError("the file holds zero bytes; it is not text.", line=text.count("\n", 0, text.index("\0")) + 1)
    if text.startswith(UTF8_BOM):
        return text[1:], ("The byte order mark at the start was dropped.",)
    return text, ()


def line_of(text: str, position: int) -> int:
    """The number, from 1, of the line on which the character at `position` stands."""
    return text.count("\n", 0, position) + 1
