"""STORAGE_URL: where files are kept, a folder or a bucket. The settings read it, so it imports nothing of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from django.core.exceptions import ImproperlyConfigured

OPTIONS: Final = {"endpoint": "endpoint_url", "region": "region_name", "addressing": "addressing_style"}


def folder_of(url: str) -> Path | None:
    """The folder of a file:/// address; None for any other."""
    return Path(url.removeprefix("file://")) if url.startswith("file:///") else None


def bucket_of(url: str) -> dict[str, Any]:
    """The entry of STORAGES for `s3://bucket/prefix?endpoint=…&region=…&addressing=path|virtual`.

    Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or wherever else boto3 looks.
    Raises ImproperlyConfigured.
    """
    parts = urlsplit(url)
    if parts.scheme != "s3":
        raise ImproperlyConfigured(f"STORAGE_URL is {url!r}. It is file:///path/of/a/folder, or s3://bucket/prefix?…")
    asked = parse_qs(parts.query, keep_blank_values=True)
    unknown = sorted(set(asked) - set(OPTIONS))
    if not parts.netloc or unknown or parts.username:
        what = f"does not know {', '.join(unknown)}" if unknown else "needs a bucket, and keys in the environment"
        raise ImproperlyConfigured(
            f"STORAGE_URL {what}. It reads s3://bucket/prefix?endpoint=https://host&region=name&addressing=path."
        )
    options = {OPTIONS[name]: values[-1] for name, values in asked.items()}
    return {
        "BACKEND": "certifier.ops.object_storage.ObjectStorage",
        "OPTIONS": {"bucket_name": parts.netloc, "location": parts.path.strip("/"), **options},
    }
