"""The classifier of the ALICE TPC as it was shown: components of the parameters as they are, and a forest."""

from __future__ import annotations

from typing import Any

from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

#: to which the 217 parameters were mapped
COMPONENTS = 26


def published_forest(seed: int, *, trees: int = 200) -> Any:
    """26 components, then a random forest (K. Deja, ALICE workshop on machine learning and quality control, December
    2018). How missing numbers were filled and the settings of the forest are not written down; means and defaults."""
    forest = RandomForestClassifier(trees, random_state=seed)
    return make_pipeline(SimpleImputer(), StandardScaler(), PCA(COMPONENTS, random_state=seed), forest)
