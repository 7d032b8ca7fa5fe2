"""Scoring a dataset with a real model: what is written down, once, and what changes it."""

from __future__ import annotations

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.lumi import LumiSet
from certifier.monitoring.errors import HistogramsLost
from certifier.monitoring.models import Part
from certifier.precert import files, services
from certifier.precert.errors import ModelUnusable, NotAPartition, NothingToScore
from certifier.precert.models import Finding, ModelVersion, Scoring, Verdict
from certifier.precert.scoring import score_dataset
from certifier.precert.verdicts import Judgement, Stretch
from certifier.runs import services as runs
from certifier.runs.models import Change, Dataset
from tests.precert import world
from tests.precert.world import CORRUPT, NOISE, RUN

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(lar: System) -> ModelVersion:
    return world.champion(lar)


def test_it_tells_good_from_bad_and_keeps_a_score_of_each(lar: System, version: ModelVersion) -> None:
    dataset = world.take(system=lar, noise="5-9", corrupt="20-24")
    scoring = score_dataset(version, dataset)
    assert LumiSet.parse("5-9 20-24") <= scoring.bad
    assert scoring.good
    assert scoring.unsure
    assert not scoring.unscored
    assert (scoring.last, scoring.newest_part, scoring.is_probability) == (40, Part.objects.last(), True)
    scores = scoring.scores
    assert scores.shape == (40,)
    assert scores[next(iter(scoring.bad.numbers())) - 1] > scores[next(iter(scoring.good.numbers())) - 1]
    event = AuditEvent.objects.get(code="precert.score")
    assert (event.actor_name, event.subject, event.data["bad"]) == ("system", f"run {RUN}", len(scoring.bad))
    assert Change.objects.get(kind="precert.scoring").run == RUN


def test_a_finding_says_where_what_and_why(lar: System) -> None:
    version = world.register(lar, folder=world.knowing_folder())
    dataset = world.take(system=lar, noise="5-9", corrupt="20-24")
    score_dataset(version, dataset)
    found = {str(finding.lumisections): finding for finding in Finding.objects.filter(verdict="bad")}
    assert (found["5-9"].suspected_defect, found["20-24"].suspected_defect) == (NOISE, CORRUPT)
    evidence = found["5-9"].evidence
    assert 5 <= evidence["lumisection"] <= 9
    assert evidence["elements"][0]["element"] == "LAr/cellTime"
    assert evidence["bins"][0]["place"] == [15]
    assert evidence["bins"][0]["pull"] > 5
    assert evidence["objects"] == {"calorimeter": 1.0}
    assert {case["defect"] for case in evidence["cases"]} == {NOISE}
    assert "above" in evidence["reason"]


def test_every_lumisection_to_be_looked_at_is_in_one_finding(lar: System, version: ModelVersion) -> None:
    scoring = score_dataset(version, world.take(system=lar, noise="5-9 30", corrupt="20-24", strength=0.004))
    found = [finding.lumisections for finding in scoring.findings.all()]
    assert sum(map(len, found)) == len(scoring.bad | scoring.unsure)
    together = LumiSet()
    for lumisections in found:
        together |= lumisections
    assert together == scoring.bad | scoring.unsure
    assert [finding.number for finding in scoring.findings.all()] == list(range(1, len(found) + 1))


def test_twice_changes_nothing(lar: System, version: ModelVersion) -> None:
    dataset = world.take(system=lar, noise="5-9")
    first = score_dataset(version, dataset)
    before = (Finding.objects.count(), AuditEvent.objects.count(), Change.objects.count())
    again = score_dataset(version, dataset)
    assert (again.pk, again.already_there) == (first.pk, True)
    assert (Finding.objects.count(), AuditEvent.objects.count(), Change.objects.count()) == before


def test_histograms_that_come_later_ask_for_a_new_one(lar: System, version: ModelVersion) -> None:
    dataset = world.take(system=lar, only="1-30")
    first = score_dataset(version, dataset)
    assert (first.unscored, list(first.why_unscored.values())) == (LumiSet.parse("31-40"), ["31-40"])
    assert "missing" in next(iter(first.why_unscored))
    assert np.isnan(first.scores[30:]).all()
    world.send(system=lar)
    second = score_dataset(version, dataset)
    assert second.pk != first.pk
    assert not second.unscored
    # What was said before stays as it was said.
    assert Scoring.objects.get(pk=first.pk).unscored == LumiSet.parse("31-40")


def test_a_run_that_grew_asks_for_a_new_one(lar: System, version: ModelVersion) -> None:
    dataset = world.take(system=lar)
    first = score_dataset(version, dataset)
    runs.put_run(actor=None, run=RUN, facts={"lumisections": 45})
    second = score_dataset(version, dataset)
    assert (first.last, second.last) == (40, 45)
    assert second.unscored == LumiSet.parse("41-45")
    assert Scoring.objects.count() == 2


def test_lumisections_without_half_of_the_histograms_are_not_decided(lar: System, version: ModelVersion) -> None:
    from certifier.monitoring import services as monitoring

    dataset = world.take(system=lar, only="1-20")
    time, _ = world.histograms()
    monitoring.ingest(actor=None, run=RUN, dataset=dataset.name, blocks=[time])
    scoring = score_dataset(version, dataset)
    assert scoring.good.isdisjoint(LumiSet.parse("21-40"))
    assert scoring.bad.isdisjoint(LumiSet.parse("21-40"))


def test_what_has_no_histograms_is_no_scoring(lar: System, pixel: System, version: ModelVersion) -> None:
    dataset = world.take(system=lar)
    with pytest.raises(NothingToScore, match=f"Run {RUN} has no lumisections with histograms of PIXEL"):
        score_dataset(world.register(pixel), dataset)
    assert not Scoring.objects.exists()


@pytest.mark.parametrize("name", ["state.json", "arrays.npz", "manifest.json"])
@pytest.mark.parametrize("change", ["missing", "changed"])
def test_a_model_file_that_is_missing_or_changed_scores_nothing(
    lar: System, version: ModelVersion, name: str, change: str
) -> None:
    dataset = world.take(system=lar)
    path = f"{version.folder}/{name}"
    with default_storage.open(path) as file:
        content = file.read()
    default_storage.delete(path)
    if change == "changed":
        default_storage.save(path, ContentFile(content[:-2] + b" \n"))
    with pytest.raises(ModelUnusable, match=r"LAR model 1 cannot be used: .*stays not scored") as refusal:
        score_dataset(version, dataset)
    assert "restore it from the backup" in str(refusal.value)
    assert "/tmp" not in str(refusal.value)
    assert not Scoring.objects.exists()


def test_a_model_is_read_once_and_its_files_are_checked_each_time(lar: System, version: ModelVersion) -> None:
    first = files.load(version)
    assert files.load(version) is first
    # A worker remembers the last few; what it has forgotten it reads again.
    files._loaded.clear()
    assert files.load(version) is not first
    name = f"{version.folder}/arrays.npz"
    default_storage.delete(name)
    with pytest.raises(ModelUnusable, match="cannot be read"):
        files.load(version)
    default_storage.save(name, ContentFile(b"something else"))
    with pytest.raises(ModelUnusable, match="is not the file that was saved"):
        files.load(version)


def test_lost_histograms_score_nothing(lar: System, version: ModelVersion) -> None:
    dataset = world.take(system=lar)
    for name in Part.objects.values_list("file", flat=True).distinct():
        default_storage.delete(name)
    with pytest.raises(HistogramsLost):
        score_dataset(version, dataset)
    assert not Scoring.objects.exists()


def test_half_a_scoring_is_none(lar: System, version: ModelVersion) -> None:
    """What cannot be written of a finding takes the scoring with it, and every trace of it."""
    dataset = world.take(system=lar)
    stretch = Stretch(LumiSet.parse("3-4"), Verdict.BAD, evidence={"elements": object()})
    judgement = Judgement(40, LumiSet(), LumiSet.parse("3-4"), LumiSet(), np.ones(40), stretches=[stretch])
    before = (AuditEvent.objects.count(), Change.objects.count())
    with pytest.raises(TypeError):
        record(version, dataset, judgement)
    assert not Scoring.objects.exists()
    assert (AuditEvent.objects.count(), Change.objects.count()) == before


@pytest.mark.parametrize(
    ("good", "bad", "scores"),
    [
        ("1-20", "20-40", np.zeros(40)),
        ("1-41", "", np.zeros(40)),
        ("1-40", "", np.zeros(39)),
        ("1-40", "", np.r_[np.nan, np.zeros(39)]),
    ],
    ids=["two verdicts", "beyond the run", "too few scores", "a verdict without a score"],
)
def test_what_is_no_partition_is_not_written(
    lar: System, version: ModelVersion, good: str, bad: str, scores: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> None:
    dataset = world.take(system=lar)
    judgement = Judgement(40, LumiSet.parse(good), LumiSet.parse(bad), LumiSet(), scores)
    with pytest.raises(NotAPartition):
        record(version, dataset, judgement)
    assert not Scoring.objects.exists()


@pytest.mark.parametrize("name", ["ada", "ben", "dee"])
def test_verdicts_are_written_by_the_installation_or_coordinators(
    lar: System, version: ModelVersion, name: str, request: pytest.FixtureRequest
) -> None:
    dataset = world.take(system=lar)
    judgement = Judgement(40, LumiSet.whole(40), LumiSet(), LumiSet(), np.zeros(40))
    with pytest.raises(NotAllowed, match="Scoring runs needs the role coordinator"):
        record(version, dataset, judgement, actor=request.getfixturevalue(name))
    assert not Scoring.objects.exists()


def record(version: ModelVersion, dataset: Dataset, judgement: Judgement, actor: User | None = None) -> Scoring:
    newest = Part.objects.latest("id").pk
    return services.record_scoring(
        actor=actor,
        version=version,
        dataset=dataset,
        newest_part=newest,
        judgement=judgement,
        took_s=0.1,
    )
