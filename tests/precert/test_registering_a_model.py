"""A trained model is taken over whole and unchanged, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.precert import files, services
from certifier.precert.models import ModelVersion, State
from certifier.precert.selectors import models_of_system
from certifier.runs.models import Change
from mlcore.errors import ArtifactChanged, ArtifactIncompatible
from tests.precert import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder that a test may spoil."""
    return shutil.copytree(world.model_folder(), tmp_path / "model")


def test_it_keeps_the_files_and_what_the_model_says_of_itself(lar: System, chi: User) -> None:
    version = services.register_version(
        actor=chi, system=lar, folder=world.model_folder(), lineage={"labels": "decisions up to 12"}
    )
    assert (version.number, str(version), version.folder) == (1, "LAR model 1", "models/LAR/1")
    assert version.metrics["auc"] > 0.9
    assert version.lineage["labels"] == "decisions up to 12"
    assert version.lineage["guarantee"]["runs"] == 16
    assert version.guarantee["parts"]
    assert models_of_system(lar).standing.state_of(version) == State.CANDIDATE
    for name in ("manifest.json", *version.manifest["files"]):
        with default_storage.open(f"models/LAR/1/{name}") as file:
            assert file.read() == (world.model_folder() / name).read_bytes()
    assert files.load(version).config.system == "LAR"
    event = AuditEvent.objects.get(code="precert.register_model")
    assert (event.actor_name, event.subject, event.data["digest"]) == ("chi", "LAR model 1", version.digest)
    assert Change.objects.get(kind="precert.model").data == {"system": "LAR", "model": 1, "id": version.pk}


def test_the_same_again_is_the_version_that_is_there(lar: System, pixel: System) -> None:
    first = world.register(lar)
    again = world.register(lar)
    assert (again.pk, again.already_there, first.already_there) == (first.pk, True, False)
    assert world.register(lar, another=1).number == 2
    # Numbers are counted for each system.
    assert world.register(pixel).number == 1
    assert AuditEvent.objects.filter(code="precert.register_model").count() == 3


@pytest.mark.parametrize("name", ["state.json", "arrays.npz", "manifest.json"])
def test_a_changed_file_is_refused_by_name(lar: System, copied: Path, name: str) -> None:
    from mlcore.artifacts import read_manifest

    digest = read_manifest(copied).digest
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(content[:-1] + b" ")
    with pytest.raises(ArtifactChanged, match=r"not the (file|one) that was saved"):
        services.register_version(actor=None, system=lar, folder=copied, digest=digest)
    assert not ModelVersion.objects.exists()


def test_a_missing_file_is_refused(lar: System, copied: Path) -> None:
    (copied / "arrays.npz").unlink()
    with pytest.raises(ArtifactChanged, match=r"arrays\.npz is missing"):
        services.register_version(actor=None, system=lar, folder=copied)
    assert not ModelVersion.objects.exists()


def test_what_cannot_score_a_system_is_refused(lar: System, tmp_path: Path) -> None:
    from mlcore.artifacts import save
    from mlcore.pipeline import SystemConfig

    save(SystemConfig(), tmp_path / "model")
    with pytest.raises(ArtifactIncompatible, match="scores nothing"):
        services.register_version(actor=None, system=lar, folder=tmp_path / "model")


def test_what_an_earlier_try_left_behind_is_replaced(lar: System) -> None:
    from django.core.files.base import ContentFile

    default_storage.delete("models/LAR/1/state.json")
    default_storage.save("models/LAR/1/state.json", ContentFile(b"half of a file"))
    assert files.load(world.register(lar)).config.system == "LAR"


@pytest.mark.parametrize("name", ["ada", "ben", "dee"])
def test_it_is_for_coordinators(lar: System, name: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(NotAllowed, match="needs the role coordinator"):
        services.register_version(actor=request.getfixturevalue(name), system=lar, folder=world.model_folder())
    assert not ModelVersion.objects.exists()
