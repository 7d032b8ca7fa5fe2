"""What can be wrong with a file that should hold a good-run list."""

from __future__ import annotations

from certifier.audit.errors import CertifierError


class FormatError(CertifierError):
    """The file is not what it should be; the message names the line where that can be said."""

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message if line is None else f"line {line}: {message}", field="file")
        self.line = line
