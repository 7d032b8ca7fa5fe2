"""An S3-compatible store instead of a folder: the same files, read by ranges, every failure an OSError."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from moto.server import ThreadedMotoServer

from certifier.accounts.models import System
from certifier.monitoring.errors import HistogramsLost
from certifier.monitoring.selectors import coverage_of_run, histograms
from certifier.ops import health
from certifier.ops.object_storage import ObjectStorage, StorageUnreachable
from certifier.ops.storage_url import bucket_of, folder_of
from certifier.runs.models import Run
from tests.precert import world

BUCKET = "certifier-tests"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server that speaks S3, on a free port of this machine."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def url(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    if BUCKET not in [each["Name"] for each in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)
    return f"s3://{BUCKET}/some/prefix?endpoint={endpoint}&region=us-east-1&addressing=path"


@pytest.fixture
def store(url: str) -> ObjectStorage:
    return ObjectStorage(**bucket_of(url)["OPTIONS"])


def test_what_is_saved_is_read_again(store: ObjectStorage) -> None:
    name = store.save("histograms/1/a.parquet", ContentFile(b"0123456789" * 1000))
    assert store.exists(name)
    assert store.size(name) == 10_000
    with store.open(name) as file:
        assert file.read() == b"0123456789" * 1000
        file.seek(-4, 2)
        assert file.read() == b"6789"
        file.seek(12)
        assert file.read(3) == b"234"
        with pytest.raises(ValueError, match="before the beginning"):
            file.seek(-20_000, 2)
    store.delete(name)
    assert not store.exists(name)


def test_a_name_that_is_taken_is_not_overwritten(store: ObjectStorage) -> None:
    first = store.save("taken.txt", ContentFile(b"first"))
    second = store.save("taken.txt", ContentFile(b"second"))
    assert first != second
    with store.open(first) as file:
        assert file.read() == b"first"


def test_only_what_is_asked_for_is_fetched(store: ObjectStorage) -> None:
    name = store.save("long.bin", ContentFile(bytes(8_000_000)))
    asked: list[int] = []
    count = lambda parsed, **_: asked.append(int(parsed.get("ContentLength", 0)))  # noqa: E731
    store.connection.meta.client.meta.events.register("after-call.s3.GetObject", count)
    with store.open(name) as file:
        file.seek(-8, 2)
        file.read()
    assert sum(asked) <= 300_000
    store.connection.meta.client.meta.events.unregister("after-call.s3.GetObject", count)


def test_what_is_missing_and_who_does_not_answer_are_os_errors(store: ObjectStorage, url: str) -> None:
    with pytest.raises(FileNotFoundError):
        store.open("nowhere.txt")
    silent = bucket_of(url.split("?", maxsplit=1)[0] + "?endpoint=http://127.0.0.1:9")
    nobody = ObjectStorage(**silent["OPTIONS"], client_config=_impatient())
    for act in (lambda: nobody.exists("a"), lambda: nobody.save("a", ContentFile(b"x")), lambda: nobody.open("a")):
        with pytest.raises(StorageUnreachable):
            act()


def _impatient() -> Any:
    from botocore.config import Config

    return Config(retries={"max_attempts": 0}, connect_timeout=1)


@pytest.mark.django_db
def test_histograms_and_models_live_in_it(url: str, settings: Any, lar: System) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": bucket_of(url)}
    dataset = world.take(350479, 40, system=lar, noise="5-9")
    assert health.storage().good
    scoring = world.score(world.champion(lar), dataset)
    assert scoring.bad
    run = Run.objects.get(number=350479)
    [covered] = coverage_of_run(run).values()
    assert sorted(histograms(run, covered)) == sorted(world.ELEMENTS)


@pytest.mark.django_db
def test_a_file_that_was_deleted_there_is_lost_in_words(url: str, settings: Any, lar: System, store: Any) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": bucket_of(url)}
    dataset = world.take(350480, 40, system=lar)
    run = Run.objects.get(number=350480)
    [covered] = coverage_of_run(run).values()
    part = dataset.parts.first()
    assert part is not None
    store.delete(part.file)
    with pytest.raises(HistogramsLost):
        histograms(run, covered)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://", "needs a bucket"),
        ("s3://key:secret@bucket", "keys in the environment"),
        ("s3://bucket?color=blue", "does not know color"),
        ("ftp://host/files", "It is file:///path"),
    ],
)
def test_an_address_that_says_something_else_is_refused(address: str, words: str) -> None:
    assert folder_of(address) is None
    with pytest.raises(ImproperlyConfigured, match=words):
        bucket_of(address)
