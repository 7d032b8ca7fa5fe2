"""Ingest: all or nothing, the same again changes nothing, and of what is sent twice the later counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from certifier.accounts.models import User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.lumi import LumiSet
from certifier.monitoring import files, selectors, services
from certifier.monitoring.errors import HistogramsLost, HistogramsRefused
from certifier.monitoring.models import Element, Part
from certifier.runs.errors import RunNotFound
from certifier.runs.models import Change, Dataset, Run
from mlcore.histograms import HistogramBlock
from tests.monitoring.blocks import BEFORE, ETA, EXPRESS, PHI, RUN, TIME, histograms, ingest, take

pytestmark = pytest.mark.django_db


def stored(element: str = "EcalBarrel/time", lumisections: str | None = None, run: int = RUN) -> HistogramBlock:
    row = Run.objects.get(number=run)
    (coverage,) = selectors.coverage_of_run(row, paths=[element]).values()
    chosen = LumiSet.parse(lumisections) if lumisections else None
    return selectors.histograms(row, coverage, chosen)[element]


def test_it_gives_back_what_it_was_given() -> None:
    take()
    flow = np.arange(80.0).reshape(20, 2, 2)
    sent = histograms("Ecal/map", axes=(ETA, PHI), flow=flow, physics_object="photons")
    ingest(sent, histograms())
    found = stored("Ecal/map")
    assert found.axes == sent.axes
    assert (found.axes[1].unit, found.axes[1].circular) == ("rad", True)
    np.testing.assert_array_equal(found.counts, sent.counts)
    np.testing.assert_array_equal(found.flow, flow)
    assert found.physics_object == "photons"
    np.testing.assert_array_equal(found.conditions.lumisection, np.arange(1, 21))
    np.testing.assert_allclose(found.conditions.luminosity, np.linspace(120, 80, 20))
    np.testing.assert_allclose(found.conditions.pileup, np.linspace(48, 32, 20))


def test_it_keeps_counts_that_single_precision_does_not_hold() -> None:
    take()
    sent = histograms(lumisections="1-3")
    large = HistogramBlock(sent.element, sent.axes, sent.counts + 2.0**40 + 1 / 3, sent.conditions)
    ingest(large)
    np.testing.assert_array_equal(stored().counts, large.counts)


def test_it_tells_what_it_wrote() -> None:
    take()
    done = ingest(histograms(), histograms("HcalBarrel/time", "1-3 9"))
    assert (done.histograms, done.unchanged, str(done.lumisections)) == (24, 0, "1-20")
    assert set(done.new_elements) == {"EcalBarrel/time", "HcalBarrel/time"}
    data = {"dataset": EXPRESS, "elements": 2, "histograms": 24, "lumisections": "1-20"}
    change = Change.objects.get(kind="monitoring.histograms")
    assert (change.run, change.data) == (RUN, data)
    event = AuditEvent.objects.get(code="monitoring.ingest")
    assert event.subject == f"run {RUN}"
    assert event.data == {**data, "file": done.parts[0].file}
    assert default_storage.exists(done.parts[0].file)
    assert done.parts[0].file.startswith(f"histograms/{RUN}/")
    assert Dataset.objects.get(run__number=RUN).name == EXPRESS


def test_the_same_again_changes_nothing() -> None:
    take()
    ingest(histograms(), histograms("HcalBarrel/time"))
    before = Part.objects.count(), Change.objects.count(), AuditEvent.objects.count()
    for blocks in (
        (histograms(), histograms("HcalBarrel/time")),
        (histograms(lumisections="1-20").select(slice(3, 9)),),
        (histograms().select(slice(0, 10)), histograms().select(slice(10, 20))),
    ):
        done = ingest(*blocks)
        assert (done.histograms, done.changed, done.saved) == (0, False, None)
    assert (Part.objects.count(), Change.objects.count(), AuditEvent.objects.count()) == before


def test_only_what_is_new_is_written_when_a_run_grows() -> None:
    take()
    ingest(histograms().select(slice(0, 12)))
    done = ingest(histograms())
    assert (done.histograms, done.unchanged, str(done.lumisections)) == (8, 12, "13-20")
    np.testing.assert_array_equal(stored().counts, histograms().counts)


def test_of_what_is_sent_twice_the_later_counts() -> None:
    take()
    first, second = histograms(), histograms(lumisections="5-8", seed=2)
    ingest(first)
    ingest(second)
    expected = first.counts.copy()
    expected[4:8] = second.counts
    np.testing.assert_array_equal(stored().counts, expected)
    np.testing.assert_array_equal(stored(lumisections="4-5").counts, expected[3:5])
    # And back again: what was right at first is a correction now.
    assert str(ingest(first).lumisections) == "5-8"
    np.testing.assert_array_equal(stored().counts, first.counts)


def test_other_flow_is_another_histogram() -> None:
    take()
    ingest(histograms())
    flow = np.zeros((20, 1, 2))
    flow[6, 0, 1] = 3
    assert str(ingest(histograms(flow=flow)).lumisections) == "7"


def test_a_missing_histogram_leaves_what_is_known() -> None:
    take()
    ingest(histograms())
    counts = histograms(seed=2).counts
    counts[3:] = np.nan
    block = histograms()
    assert str(ingest(HistogramBlock(block.element, block.axes, counts, block.conditions)).lumisections) == "1-3"
    np.testing.assert_array_equal(stored().counts[3:], histograms().counts[3:])


def test_datasets_are_kept_apart() -> None:
    take()
    ingest(histograms())
    ingest(histograms(seed=2), dataset="/ZeroBias/Run2018D-v1/DQMIO")
    row = Run.objects.get(number=RUN)
    coverage = {dataset.name: elements for dataset, elements in selectors.coverage_of_run(row).items()}
    for name, seed in ((EXPRESS, 1), ("/ZeroBias/Run2018D-v1/DQMIO", 2)):
        found = selectors.histograms(row, coverage[name])["EcalBarrel/time"]
        np.testing.assert_array_equal(found.counts, histograms(seed=seed).counts)


def test_lumisections_may_come_in_any_order() -> None:
    take()
    shuffled = histograms().select(np.random.default_rng(3).permutation(20))
    ingest(shuffled)
    np.testing.assert_array_equal(stored().counts, histograms().counts)


def test_a_dry_run_says_it_and_writes_nothing() -> None:
    take()
    done = ingest(histograms(), dry_run=True)
    assert (done.histograms, done.new_elements, done.saved) == (20, ("EcalBarrel/time",), None)
    assert not Part.objects.exists()
    assert not Element.objects.exists()
    assert not Dataset.objects.exists()
    assert not Change.objects.filter(kind__startswith="monitoring").exists()


# --- who may ----------------------------------------------------------------------------------------------------


def test_it_refuses_everybody_but_coordinators(ada: User, ben: User, chi: User, dee: User) -> None:
    take()
    for actor in (ada, ben, dee):
        with pytest.raises(NotAllowed, match="needs the role coordinator"):
            ingest(histograms(), actor=actor)
    assert not Part.objects.exists()
    assert ingest(histograms(), actor=chi).histograms == 20


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        (
            [histograms(lumisections="19-22", run=RUN)],
            "EcalBarrel/time: lumisection 21 is beyond the end of run 350479, 20",
        ),
        ([histograms(run=BEFORE)], "these are histograms of run 350440, not of run 350479"),
        ([histograms(), histograms(lumisections="7")], "EcalBarrel/time: lumisection 7 comes twice"),
        (
            [histograms(lumisections="1-9"), histograms(lumisections="10-20", axes=(ETA,))],
            "lumisection 10 has other axes",
        ),
        ([histograms("")], "has 1 to 200 characters"),
        ([histograms("a/../b")], "words with single slashes"),
        ([histograms("/a")], "words with single slashes"),
        ([histograms("a\nb")], "printable characters"),
        ([histograms(physics_object="x" * 61)], "more than 60 characters"),
    ],
)
def test_it_refuses_and_names_element_and_lumisection(blocks: list[HistogramBlock], reason: str) -> None:
    take()
    with pytest.raises(HistogramsRefused, match=reason):
        ingest(histograms("Good/one"), *blocks)
    assert not Part.objects.exists()
    assert not Element.objects.exists()


def test_it_refuses_bins_that_changed_in_mid_run() -> None:
    take()
    ingest(histograms(lumisections="1-9"))
    with pytest.raises(HistogramsRefused) as refused:
        ingest(histograms("Good/one"), histograms(lumisections="10-20", axes=(ETA,)))
    assert refused.value.errors == [
        {
            "index": 1,
            "field": "histograms",
            "message": "EcalBarrel/time of run 350479 lumisection 10 has 6 bins of eta from -1.5 to 1.5; the element "
            "has 10 bins of time from -5 to 5 ns. Bins never change: send it under another path, or bin it as before.",
        }
    ]
    assert Part.objects.count() == 1
    assert not Element.objects.filter(path="Good/one").exists()


def test_it_refuses_a_run_that_is_not_known() -> None:
    for number in (RUN, 0, 2**40):
        with pytest.raises(RunNotFound, match=f"There is no run {number}"):
            ingest(histograms(), run=number)


# --- files ----------------------------------------------------------------------------------------------------------


def test_it_leaves_no_row_and_no_file_when_it_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    take()
    monkeypatch.setattr(services, "announce", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ingest(histograms(seed=77))
    assert not Part.objects.exists()
    folder = f"histograms/{RUN}/{files.slug(EXPRESS)}"
    name = f"{folder}/{_name_of(histograms(seed=77))}"
    assert not default_storage.exists(name)


def _name_of(block: HistogramBlock) -> str:
    import hashlib

    return hashlib.sha256(files.encode(RUN, [block])).hexdigest() + ".parquet"


def test_a_file_that_an_earlier_crash_left_is_never_trusted_by_its_name() -> None:
    take()
    block = histograms(seed=5)
    name = f"histograms/{RUN}/{files.slug(EXPRESS)}/{_name_of(block)}"
    default_storage.save(name, ContentFile(files.encode(RUN, [block])[:100]))
    done = ingest(block)
    assert done.parts[0].file != name
    np.testing.assert_array_equal(stored().counts, block.counts)
    default_storage.delete(name)


def test_a_whole_file_that_an_earlier_crash_left_is_used() -> None:
    take()
    block = histograms(seed=6)
    name = f"histograms/{RUN}/{files.slug(EXPRESS)}/{_name_of(block)}"
    default_storage.save(name, ContentFile(files.encode(RUN, [block])))
    assert ingest(block).parts[0].file == name


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_lost_file_is_said_to_be_lost_and_can_be_sent_again(damage: str) -> None:
    take()
    block = histograms(seed=8 if damage == "cut" else 9)
    name = ingest(block).parts[0].file
    with default_storage.open(name) as file:
        whole = file.read()
    default_storage.delete(name)
    if damage == "cut":
        default_storage.save(name, ContentFile(whole[: len(whole) // 2]))
    with pytest.raises(HistogramsLost, match="missing or damaged"):
        stored()
    assert ingest(block).histograms == 20
    np.testing.assert_array_equal(stored().counts, block.counts)


def test_only_the_row_groups_of_an_element_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    take()
    ingest(*(histograms(f"Element/{number}", seed=number) for number in range(5)))
    asked: list[list[int]] = []
    read = files.read

    def noted(name: str, groups: Sequence[int]) -> Iterator[files.Rows]:
        asked.append(list(groups))
        return read(name, groups)

    monkeypatch.setattr(files, "read", noted)
    stored("Element/3")
    assert asked == [[3]]


def test_names_of_datasets_are_folders_and_stay_different() -> None:
    names = ["express_express", "/ZeroBias/Run2018D-v1/DQMIO", "_ZeroBias_Run2018D-v1_DQMIO", "..", "é", "a" * 200]
    slugs = [files.slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    for slug in slugs:
        assert "/" not in slug
        assert slug.strip(".")
    assert slugs[0] == "express_express"


def test_axes_of_an_element_are_those_it_came_with() -> None:
    take()
    ingest(histograms())
    element = Element.objects.get()
    assert element.axes == [
        {"name": "time", "label": "cell time", "unit": "ns", "circular": False, "edges": TIME.edges.tolist()}
    ]
    assert element.bins == (10,)
    assert element.system is None
