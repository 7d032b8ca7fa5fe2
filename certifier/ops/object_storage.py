"""Files in an S3-compatible store: django-storages, read by ranges, with every failure an OSError.

The rooms know Django's storage and its errors only. A reader of one element of a run asks for the end of a Parquet file
and one of its row groups: the file is not fetched whole for that.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import File
from storages.backends.s3 import S3Storage

# What is fetched at least: the end of a Parquet file of a run lies within it.
BUFFER = 256 * 1024
Method = TypeVar("Method", bound=Callable[..., Any])


class StorageUnreachable(OSError):
    """The object store refused, or did not answer."""


def _told_as_os_error(method: Method) -> Method:
    @functools.wraps(method)
    def told(*arguments: Any, **named: Any) -> Any:
        try:
            return method(*arguments, **named)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                raise FileNotFoundError(f"the object store has no such file: {error}") from error
            raise StorageUnreachable(str(error)) from error
        except BotoCoreError as error:
            raise StorageUnreachable(str(error)) from error

    return told  # type: ignore[return-value]  # the same signature


class RangedObject(io.RawIOBase):
    """An object to read from: every read is one request for the bytes that are asked for."""

    def __init__(self, item: Any) -> None:
        self._item = item
        self._length = int(item.content_length)  # the first request: raises when there is no such object
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._length}[whence]
        if start + offset < 0:
            raise ValueError(f"{offset} lies before the beginning of {self._item.key}.")
        self._place = start + offset
        return self._place

    @_told_as_os_error
    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._length - self._place)
        if wanted <= 0:
            return 0
        last = self._place + wanted - 1
        # If it was replaced meanwhile, its bytes are not those of the same file any more.
        answer = self._item.get(Range=f"bytes={self._place}-{last}", IfMatch=self._item.e_tag)
        read = answer["Body"].read()
        buffer[: len(read)] = read
        self._place += len(read)
        return len(read)


class ObjectStorage(S3Storage):
    """Never overwrites: a name that is taken gets another one, as in a folder."""

    def get_default_settings(self) -> dict[str, Any]:
        return {**super().get_default_settings(), "file_overwrite": False, "default_acl": None}

    @_told_as_os_error
    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        if mode != "rb":
            raise ValueError("Files in the object store are opened to read; save writes them.")
        item = self.bucket.Object(self._normalize_name(name))
        return File(io.BufferedReader(RangedObject(item), BUFFER), name)

    @_told_as_os_error
    def _save(self, name: str, content: File[bytes]) -> str:
        return str(super()._save(name, content))

    @_told_as_os_error
    def delete(self, name: str) -> None:
        super().delete(name)

    @_told_as_os_error
    def exists(self, name: str) -> bool:
        return bool(super().exists(name))

    @_told_as_os_error
    def size(self, name: str) -> int:
        return int(super().size(name))
