"""Real input: files of histograms and scores as `HistogramBlock` and `FeatureTable`, with the labels they bring.

Every reader refuses a broken file with an `UnreadableFile` that names file, line and reason, and reads large ones in
pieces. Labels come out as everywhere in mlcore: 0 good, 1 bad.
"""

from __future__ import annotations

from .autodqm import read_autodqm_scores
from .labelled import LabelledBlock, LabelledTable
from .maps import iterate_hdf5_maps, read_hdf5_maps
from .ml4dqm import iterate_ml4dqm_csv, read_ml4dqm_csv
from .parquet import iterate_parquet, read_parquet, write_parquet
from .root import read_root

__all__ = [
    "LabelledBlock",
    "LabelledTable",
    "iterate_hdf5_maps",
    "iterate_ml4dqm_csv",
    "iterate_parquet",
    "read_autodqm_scores",
    "read_hdf5_maps",
    "read_ml4dqm_csv",
    "read_parquet",
    "read_root",
    "write_parquet",
]
