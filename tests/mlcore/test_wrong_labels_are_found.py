"""Labels that are wrong are found, believed less, and readers are weighed by how often they are right."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mlcore.conditions import Conditions
from mlcore.errors import BadLabels, MlcoreError, ShapeError, TooFewData
from mlcore.labels import combine_readers, label_noise, noise_weights, out_of_fold


def world(seed: int = 0, n: int = 6000) -> tuple[np.ndarray, np.ndarray, np.ndarray, Conditions]:
    """Features, truth, labels of which 10% of the bad and 4% of the good are wrong, conditions of 30 runs."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.3).astype(int)
    wrong = rng.random(n) < np.where(truth == 1, 0.10, 0.04)
    x = rng.normal(size=(n, 4)) + 1.8 * truth[:, None]
    run = np.arange(n) // 200
    return x, truth, np.where(wrong, 1 - truth, truth), Conditions(run=run, lumisection=np.arange(n) % 200 + 1)


def test_noise_is_measured_and_wrong_labels_are_suspected() -> None:
    x, truth, labels, conditions = world()
    p = out_of_fold(LogisticRegression(), x, labels, conditions)
    noise = label_noise(p, labels)
    assert noise.good_as_bad == pytest.approx(0.04, abs=0.015)
    assert noise.bad_as_good == pytest.approx(0.10, abs=0.03)
    assert noise.bad_share == pytest.approx(0.3, abs=0.02)
    wrong = labels != truth
    assert wrong[noise.suspicious].mean() > 0.85
    assert noise.suspicious[wrong].mean() > 0.65
    assert noise.belief[~wrong].mean() > 0.97
    assert noise.belief[wrong].mean() < 0.4
    # Belief is a probability: of labels believed to 80-95%, about that many are right.
    middling = (noise.belief > 0.5) & (noise.belief < 0.95)
    assert (~wrong)[middling].mean() == pytest.approx(noise.belief[middling].mean(), abs=0.1)


def test_training_with_beliefs_undoes_much_of_the_damage() -> None:
    x, truth, labels, conditions = world(1)
    labels = np.where((truth == 1) & (np.random.default_rng(5).random(truth.size) < 0.35), 0, labels)
    weights = noise_weights(out_of_fold(LogisticRegression(), x, labels, conditions), labels)
    assert weights.min() >= 0
    assert weights.max() <= 1
    fresh, fresh_truth, _, _ = world(2)
    plain = LogisticRegression().fit(x, labels).predict(fresh)
    believed = LogisticRegression().fit(x, labels, sample_weight=weights).predict(fresh)
    assert (believed != fresh_truth).mean() < (plain != fresh_truth).mean()
    assert noise_weights(np.tile([0.01, 0.99], 50), np.append(np.tile([0, 1], 49), [1, 0]), least=0.5).min() == 0.5


def test_predictions_never_come_from_a_model_that_saw_the_run() -> None:
    conditions = world()[3]
    # The run number is the only feature and tells the label exactly: of no use in a run that was not seen.
    flipping = (conditions.run % 2).astype(int)
    from sklearn.tree import DecisionTreeClassifier

    one_hot = (conditions.run[:, None] == np.arange(30)).astype(float)
    p = out_of_fold(DecisionTreeClassifier(random_state=0), one_hot, flipping, conditions)
    assert ((p > 0.5) == (flipping == 1)).mean() < 0.8
    assert not np.isnan(p).any()


def test_clean_labels_are_believed() -> None:
    truth = np.repeat([0, 1], 500)
    noise = label_noise(np.where(truth == 1, 0.97, 0.02), truth)
    assert (noise.good_as_bad, noise.bad_as_good) == (0.0, 0.0)
    assert not noise.suspicious.any()
    assert noise.belief == pytest.approx(1.0)
    gap = label_noise(np.append(np.where(truth == 1, 0.97, 0.02), np.nan), np.append(truth, 1))
    assert gap.belief[-1] == 1.0
    assert not gap.suspicious[-1]


def test_readers_are_weighed_by_how_often_they_are_right() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(4000) < 0.2
    right_when_bad, right_when_good = np.array([0.95, 0.7, 0.6, 0.6]), np.array([0.99, 0.97, 0.8, 0.75])
    right = rng.random((4000, 4)) < np.where(truth[:, None], right_when_bad, right_when_good)
    answers = np.where(right, truth[:, None], ~truth[:, None]).astype(int)
    answers[rng.random((4000, 4)) < 0.2] = -1
    answers[:5] = -1
    found = combine_readers(answers)
    assert found.sensitivity == pytest.approx(right_when_bad, abs=0.06)
    assert found.specificity == pytest.approx(right_when_good, abs=0.03)
    assert found.bad_share == pytest.approx(0.2, abs=0.02)
    votes = np.where(answers >= 0, answers, 0).sum(axis=1) / np.maximum((answers >= 0).sum(axis=1), 1)
    assert ((found.probability_bad > 0.5) != truth).mean() < 0.6 * ((votes > 0.5) != truth).mean()
    assert found.probability_bad[:5] == pytest.approx(found.bad_share, abs=1e-6)
    assert found.rounds < 500


def test_readers_who_agree_are_taken_at_their_word() -> None:
    found = combine_readers([[1, 1], [0, 0], [0, 0], [1, 1], [0, -1]])
    assert ((found.probability_bad > 0.5) == [True, False, False, True, False]).all()


def test_what_nobody_read_or_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(TooFewData):
        combine_readers([[-1, -1]])
    with pytest.raises(ShapeError):
        combine_readers([0, 1])
    with pytest.raises(BadLabels):
        combine_readers([[2, 0]])
    with pytest.raises(BadLabels):
        label_noise([0.2, 0.4], [0, 0])
    with pytest.raises(MlcoreError):
        label_noise([0.2, 1.4], [0, 1])
    with pytest.raises(MlcoreError):
        noise_weights([0.2, 0.4], [0, 1], least=2.0)
    _, _, _, conditions = world()
    with pytest.raises(BadLabels, match="one class"):
        out_of_fold(LogisticRegression(), np.zeros((6000, 1)), (conditions.run == 3).astype(int), conditions)
