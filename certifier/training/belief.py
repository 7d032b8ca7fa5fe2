"""How far each label is believed: signatures that contradict what other runs teach count less, decisions never do.

Detectors that have not seen a run score it, a classifier learns from the labels of other runs what such scores mean,
and confident learning (`mlcore.labels`) says how likely each label is right. mlcore is imported where it is used: web
processes stay without scikit-learn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .recipe import Recipe
from .sample import Array, Sample

if TYPE_CHECKING:
    from mlcore.pipeline import SystemConfig

# A classifier for doubts, not for use: quick, and it takes what is missing as it is.
ROUNDS = 60
# Detectors learn from so many lumisections of half of the runs: enough to see what is odd.
FOLDS, ENOUGH = 2, 6_000


def weights_of(sample: Sample, recipe: Recipe, config: SystemConfig) -> tuple[Array, dict[str, float]]:
    """(n,) weights for learning, and what was found about the labels.

    Belief times what a label stands for, at most `most_weight`; 1 where nothing is labelled.
    """
    many = np.minimum(sample.stands_for, recipe.most_weight)
    known = np.flatnonzero(~np.isnan(sample.label))
    doubted = known[~sample.is_decision[known]]
    if not doubted.size or np.unique(sample.label[known]).size < 2:
        return many, {}
    belief, found = _belief(sample, known, recipe, config)
    weights = many.copy()
    weights[doubted] *= np.maximum(belief[np.searchsorted(known, doubted)], recipe.least_belief)
    return weights, found


def _belief(sample: Sample, known: Array, recipe: Recipe, config: SystemConfig) -> tuple[Array, dict[str, float]]:
    """Of the labelled lumisections, how likely each label is right: 1 where too little is known to doubt it."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    from mlcore.errors import BadLabels, TooFewData
    from mlcore.labels import label_noise, out_of_fold

    conditions, label = sample.conditions.select(known), sample.label[known].astype(int)
    folds = min(recipe.doubt_folds, np.unique(conditions.run).size)
    judge = HistGradientBoostingClassifier(max_iter=ROUNDS, random_state=config.random_state)
    try:
        values = _scores(sample, config)[known]
        noise = label_noise(out_of_fold(judge, values, label, conditions, folds=folds), label)
    except (BadLabels, TooFewData):
        return np.ones(known.size), {}
    found = {"good labelled bad": noise.good_as_bad, "bad labelled good": noise.bad_as_good}
    return noise.belief, {name: round(float(value), 4) for name, value in found.items()} | {
        "doubted": int((noise.suspicious & ~sample.is_decision[known]).sum())
    }


def _scores(sample: Sample, config: SystemConfig) -> Array:
    """(n, k) scores of each lumisection, and of its neighbours, by detectors that learned from other runs."""
    from mlcore.pipeline.inputs import gather
    from mlcore.pipeline.layer import fit_layer
    from mlcore.pipeline.neighbours import around
    from mlcore.splits import run_folds

    inputs = gather(list(sample.blocks), sample.conditions)
    configs = [each for each in config.detectors if not each.build(config.random_state).supervised]
    label, alike = sample.label[inputs.order], np.ones(len(inputs))
    titles: list[str] = []
    parts: list[tuple[Array, Array]] = []
    for learned, asked in run_folds(inputs.conditions, FOLDS):
        few = learned[:: max(len(learned) // ENOUGH, 1)]
        told = np.where(label[few] == 1, 1.0, np.nan)
        layer = fit_layer(inputs.select(few), configs, told, alike[few], random_state=config.random_state)
        titles = titles or layer.titles
        parts.append((asked, layer.raw_of(titles, inputs.select(asked))))
    scores = np.full((len(inputs), len(titles)), np.nan)
    for asked, found in parts:
        scores[asked] = found
    return np.asarray(inputs.given(np.hstack([scores, around(scores, inputs.conditions, config.window)])))
