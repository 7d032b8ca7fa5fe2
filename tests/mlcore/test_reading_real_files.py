"""Readers on the real files of CMS, where they are on this machine, and on files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlcore import readers
from mlcore.errors import UnreadableFile
from tests.needs import shared_data_folder


def test_binary_junk_and_absent_files_are_refused(tmp_path: Path) -> None:
    junk = tmp_path / "junk_297050.bin"
    junk.write_bytes(bytes(range(256)) * 20)
    for read in (
        readers.read_ml4dqm_csv,
        readers.read_autodqm_scores,
        readers.read_hdf5_maps,
        readers.read_parquet,
    ):
        for path in (junk, tmp_path / "absent_297050.bin"):
            with pytest.raises(UnreadableFile, match=path.name):
                read(path)


@pytest.mark.data
def test_real_pixel_charge_has_the_labels_it_is_known_for() -> None:
    folder = shared_data_folder() / "cms_hist"
    (read,) = readers.read_ml4dqm_csv(folder / "chargeInner_PXLayer_1_2017B_medium_train.csv")
    assert read.block.counts.shape == (2636, 100)
    assert len(np.unique(read.block.conditions.run)) == 14
    assert (read.labels["good"].sum(), read.labels["good_pixel"].sum()) == (402, 297)
    assert read.block.axes[0].edges[-1] == 80_000


@pytest.mark.data
def test_real_dumps_with_repeated_columns_are_read() -> None:
    folder = shared_data_folder() / "cms_hist"
    (diagonal,) = readers.read_ml4dqm_csv(folder / "MainDiagonal_2017_random_subset.csv")
    assert (diagonal.labels["json"].sum(), diagonal.labels["dcsbit"].sum()) == (1025, 946)
    assert (diagonal.block.totals == 0).sum() >= 449
    strips = readers.read_ml4dqm_csv(folder / "ZeroBias_2018A_DataFrame_1D_2.csv")
    assert len(strips) == 9
    assert strips[0].block.conditions.run.tolist() == [315488]


@pytest.mark.data
def test_half_of_a_real_dump_is_refused_where_it_ends(tmp_path: Path) -> None:
    text = (shared_data_folder() / "cms_hist" / "MainDiagonal_2017_random_subset.csv").read_text()
    half = tmp_path / "half.csv"
    half.write_text(text[:20_000])
    with pytest.raises(UnreadableFile) as caught:
        readers.read_ml4dqm_csv(half)
    assert caught.value.line in (text[:20_000].count("\n"), text[:20_000].count("\n") + 1)


@pytest.mark.data
def test_real_maps_and_scores_are_read() -> None:
    folder = shared_data_folder()
    (maps,) = readers.read_hdf5_maps(folder / "cms_hist" / "ECAL_rechit_occ_time_276582_missing_modules.hdf5")
    assert maps.counts.shape == (19, 170, 360)
    for name, columns in (
        ("HLTPhysics_8_REF.csv", 124),
        ("HLTPhysics_PCA_131224_modified_chi2_values.csv", 186),
    ):
        scores = readers.read_autodqm_scores(folder / "autodqm_ml" / name)
        assert scores.table.values.shape == (308, columns)
        assert [(scores.verdict == value).sum() for value in (0, 1, -1)] == [216, 43, 49]
