"""The real files of CMS, against what their origin says of them."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command

from certifier.lumi import LumiSet
from certifier.monitoring import selectors
from certifier.monitoring.models import Element, Part
from certifier.runs.models import Run
from mlcore.histograms import HistogramBlock

pytestmark = [pytest.mark.data, pytest.mark.django_db, pytest.mark.once]


def bring(*names: str, folder: Path) -> str:
    out = StringIO()
    paths = [str(folder / "cms_hist" / name) for name in names]
    call_command("import_histograms", *paths, "--create-runs", stdout=out, stderr=StringIO())
    return out.getvalue()


def stored(number: int, element: str, lumisections: str | None = None) -> HistogramBlock:
    run = Run.objects.get(number=number)
    (coverage,) = selectors.coverage_of_run(run, paths=[element]).values()
    return selectors.histograms(run, coverage, LumiSet.parse(lumisections) if lumisections else None)[element]


def test_it_imports_the_pixel_charge_of_2017b(shared_data: Path) -> None:
    name = "chargeInner_PXLayer_1_2017B_medium_train.csv"
    assert "2,636 histograms (2,636 new or changed) of 1 element (1 new) in 14 runs" in bring(name, folder=shared_data)
    block = stored(297050, "chargeInner_PXLayer_1", "420")
    with (shared_data / "cms_hist" / name).open() as file:
        row = next(row for row in csv.DictReader(file) if (row["run"], row["lumi"]) == ("297050", "420"))
    expected = [float(row[f"bin_{number}"]) for number in range(102)]
    np.testing.assert_array_equal(block.counts[0], expected[1:-1])
    assert block.flow is not None
    assert block.flow[0, 0].tolist() == [expected[0], expected[-1]]
    assert block.axes[0].bins == 100
    # The smaller file of the same origin holds a part of it.
    smaller = bring("chargeInner_PXLayer_1_2017B_single_train.csv", folder=shared_data)
    assert "804 histograms (0 new or changed)" in smaller
    meta = json.loads((shared_data / "cms_hist" / "chargeInner_PXLayer_1_2017B_medium_meta.json").read_text())
    known = {item["run_number"] for kind in ("good", "bad") for item in meta[kind]}
    assert set(Run.objects.values_list("number", flat=True)) <= known | set(range(297047, 297673))


@pytest.mark.slow
def test_it_imports_ten_thousand_histograms_of_507_runs(shared_data: Path) -> None:
    told = bring("MainDiagonal_2017_random_subset.csv", folder=shared_data)
    assert "10,000 histograms (10,000 new or changed) of 1 element (1 new) in 507 runs" in told
    assert Element.objects.get().path == "MainDiagonal Position"
    assert Part.objects.count() == 507
    block = stored(306134, "MainDiagonal Position", "23")
    assert (len(block), block.totals.tolist()) == (1, [0.0])


def test_it_imports_maps_and_a_later_file_corrects_an_earlier(shared_data: Path) -> None:
    told = bring("ECAL_rechit_occ_time_276582_missing_modules.hdf5", folder=shared_data)
    assert "HDF5 maps: 19 histograms" in told
    element = Element.objects.get()
    assert element.bins == (170, 360)
    before = stored(276582, element.path)
    told = bring("ECAL_rechit_occ_time_276582_hot_towers.hdf5", folder=shared_data)
    after = stored(276582, element.path)
    assert (len(before), len(after)) == (19, 24)
    assert not np.array_equal(before.counts, after.counts[:19])


def test_it_imports_a_dump_with_repeated_columns(shared_data: Path) -> None:
    told = bring("ZeroBias_2018A_DataFrame_1D_2.csv", folder=shared_data)
    assert "9 histograms (9 new or changed) of 9 elements (9 new) in 1 run" in told
    assert Element.objects.filter(path__startswith="Summary_ClusterStoNCorr").exists()
    assert Element.objects.count() == 9
