"""Good, hot or dead: a convolutional classifier of maps that makes its own faults out of good ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.nn import functional

from mlcore.conditions import FloatArray, IntArray
from mlcore.curves import TrainingCurves
from mlcore.errors import IncompatibleBinning, MlcoreError, ShapeError
from mlcore.histograms import HistogramBlock
from mlcore.reference import Reference

from .base import Detector
from .pulls import pulls_of

Floats = npt.NDArray[np.floating[Any]]
GOOD, HOT, DEAD = 0, 1, 2
#: a pull counts at most so much
FARTHEST = 25.0
#: windows over which pulls are averaged, beside single channels
WINDOWS = (3, 5)
#: share of the runs that are watched and not learned from
_WATCHED = 0.2
AT_ONCE = 256


class OccupancyCnn(Detector):
    """Class of each map: good, hot or dead; the score is the log-odds of not being good.

    Learns from good maps alone. Counts become pulls against a reference that follows the conditions, so that a channel
    is judged by what it usually has and noise is the same everywhere; in every epoch each map is taken as it is, with a
    hot region put in, and with a dead one, at other places. Filters look at pulls and at their means over 3 x 3 and
    5 x 5; the largest answer anywhere counts, so that it does not matter where a fault is.

    Parameters
    ----------
    sizes : of the faults that are put in, in channels along both axes.
    hot : least and largest factor of a hot region; evenly in its logarithm.
    channels : filters. epochs, batch, learning_rate : of Adam on the cross-entropy, cosine course.
    random_state : of faults, start and order.

    Attributes after `fit`: `curves_` the training curves. Takes maps of two axes; a third one (depth) is looked at
    plane by plane, and the worst plane counts.
    Source: G. Fidalgo, Using machine learning techniques for data quality monitoring at CMS, 2018: convolutions and
    dense layers on maps divided by their largest channel, faults made by hand (`mlcore.bench.peers.hcal`).
    """

    consumes: ClassVar[Literal["block", "table"]] = "block"

    def __init__(
        self,
        *,
        sizes: tuple[int, ...] = (1, 5),
        hot: tuple[float, float] = (1.5, 10.0),
        channels: int = 8,
        epochs: int = 15,
        batch: int = 32,
        learning_rate: float = 0.01,
        random_state: int = 0,
    ) -> None:
        self.sizes = sizes
        self.hot = hot
        self.channels = channels
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.random_state = random_state

    def probabilities(self, block: HistogramBlock) -> FloatArray:
        """(n, 3) of good, hot and dead; NaN for a map that is missing or empty."""
        check_is_fitted(self, "layout_")
        self._check_kind(block)
        if (block.element, *block.axes) != self.layout_:
            raise IncompatibleBinning("OccupancyCnn: this map has other axes than those it was fitted on.")
        found = np.full((len(block), 3), np.nan)
        usable = self._usable(block)
        if usable.any():
            found[usable] = np.exp(self._log_probabilities(block.select(usable)))
        return found

    def classes(self, block: HistogramBlock) -> IntArray:
        """(n,) 0 good, 1 hot, 2 dead; -1 for a map that is missing or empty."""
        found = self.probabilities(block)
        known = np.asarray(np.isfinite(found).all(axis=1))
        return np.asarray(np.where(known, np.where(known[:, None], found, 0.0).argmax(axis=1), -1))

    def _score(self, data: HistogramBlock) -> FloatArray:
        log = self._log_probabilities(data)
        return np.asarray(np.logaddexp(log[:, HOT], log[:, DEAD]) - log[:, GOOD])

    def _log_probabilities(self, data: HistogramBlock) -> FloatArray:
        found = []
        for start in range(0, len(data), AT_ONCE):
            part = data.select(slice(start, start + AT_ONCE))
            mean, variance = self._usual(part)
            with torch.no_grad():
                answer = self.net_(_pulled(self._planes(part.counts), mean, variance))
            found.append(functional.log_softmax(answer.double(), dim=1).numpy())
        return np.asarray(np.concatenate(found))

    def _fit(self, data: HistogramBlock, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        if len(data.axes) not in (2, 3):
            raise ShapeError(
                f"{data.element}: {len(data.axes)} axes; good, hot and dead are told on maps of two or three."
            )
        if not self.sizes or min(self.sizes) < 1 or not 1.0 < self.hot[0] <= self.hot[1] or self.epochs < 1:
            raise MlcoreError(
                "OccupancyCnn: sizes and epochs are numbers from 1, hot factors are above 1 and in order."
            )
        self.reference_ = Reference().fit(data, weights)
        mean, variance = self._usual(data)
        trust = np.ones(len(data)) if weights is None else weights / weights.mean()
        maps = _Maps(self._planes(data.counts), mean, variance, trust.astype(np.float32))
        learned, watched = self._parted(data)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.net_ = self._made()
            self.curves_ = self._train(maps, learned, watched)

    def _parted(self, data: HistogramBlock) -> tuple[IntArray, IntArray]:
        """Rows to learn from, and of whole runs that are watched: the last ones, none where there is one run."""
        runs = np.unique(data.conditions.run)
        later = runs[len(runs) - int(_WATCHED * len(runs)) :]
        watched = np.isin(data.conditions.run, later)
        return np.flatnonzero(~watched), np.flatnonzero(watched)

    def _train(self, maps: _Maps, learned: IntArray, watched: IntArray) -> TrainingCurves:
        rng = np.random.default_rng(self.random_state)
        optimiser = torch.optim.Adam(self.net_.parameters(), lr=self.learning_rate, fused=True)
        course = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.epochs * -(-3 * len(learned) // self.batch))
        curves = np.full((self.epochs, 4), np.nan)
        for epoch in range(self.epochs):
            self.net_.train()
            sums = np.zeros(2)
            for images, wanted, trust in self._batches(maps, learned, rng):
                optimiser.zero_grad()
                answer = self.net_(images)
                loss = (functional.cross_entropy(answer, wanted, reduction="none") * trust).mean()
                torch.autograd.backward(loss)
                optimiser.step()
                course.step()
                sums += len(wanted) * float(loss.detach()), float((answer.argmax(dim=1) == wanted).sum())
            self.net_.eval()
            curves[epoch, [0, 2]] = sums / (3 * len(learned))
            if len(watched):
                curves[epoch, [1, 3]] = self._watch(maps, watched)
        return TrainingCurves(*(np.ascontiguousarray(one) for one in curves.T))

    def _watch(self, maps: _Maps, watched: IntArray) -> FloatArray:
        """Mean loss and accuracy of the watched maps, with the same faults in every epoch."""
        sums = np.zeros(2)
        with torch.no_grad():
            for images, wanted, _ in self._batches(maps, watched):
                answer = self.net_(images)
                loss = functional.cross_entropy(answer, wanted, reduction="sum")
                sums += float(loss), float((answer.argmax(dim=1) == wanted).sum())
        return np.asarray(sums / (3 * len(watched)))

    def _batches(
        self, maps: _Maps, learned: IntArray, rng: np.random.Generator | None = None
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Each map good, hot and dead. In another order every time, or, without dice, as it was the last time."""
        rows, kinds = np.tile(learned, 3), np.repeat([GOOD, HOT, DEAD], len(learned))
        order = np.arange(len(rows)) if rng is None else rng.permutation(len(rows))
        dice = np.random.default_rng(self.random_state) if rng is None else rng
        for start in range(0, len(rows), self.batch):
            some = order[start : start + self.batch]
            part, wanted = rows[some], kinds[some]
            counts = maps.counts[part].copy()
            for image, usual, kind in zip(counts, maps.mean[part], wanted, strict=True):
                if kind != GOOD:
                    self._break(image, usual, kind, dice)
            images = _pulled(counts, maps.mean[part], maps.variance[part])
            yield images, torch.from_numpy(wanted), torch.from_numpy(maps.trust[part])

    def _break(self, image: Floats, usual: Floats, kind: int, rng: np.random.Generator) -> None:
        """A fault somewhere in (planes, height, width), in place, where there is something to be seen."""
        size = int(rng.choice(self.sizes))
        high, wide = min(size, image.shape[1]), min(size, image.shape[2])
        for _ in range(20):
            plane = int(rng.integers(len(image)))
            first, second = (int(rng.integers(image.shape[1] - high + 1)), int(rng.integers(image.shape[2] - wide + 1)))
            region = (plane, slice(first, first + high), slice(second, second + wide))
            if usual[region].sum() > 0.1 * usual.mean():
                break
        if kind == DEAD:
            image[region] = 0.0
            return
        factor = float(np.exp(rng.uniform(*np.log(self.hot))))
        image[region] += rng.poisson((factor - 1.0) * np.maximum(usual[region], 0.0))

    def _usual(self, data: HistogramBlock) -> tuple[Floats, Floats]:
        mean, variance, _ = self.reference_.against(data)
        shape = (len(data), *data.bins)
        return self._planes(mean.reshape(shape)), self._planes(variance.reshape(shape))

    @staticmethod
    def _planes(maps: Floats) -> Floats:
        """(n, height, width) or (n, height, width, depth) as (n, planes, height, width) in single precision."""
        planes = maps[:, None] if maps.ndim == 3 else np.moveaxis(maps, -1, 1)
        return np.ascontiguousarray(planes, dtype=np.float32)

    def _made(self) -> _Net:
        return _Net(self.channels)

    def to_state(self) -> dict[str, Any]:
        """What was learned, for `mlcore.artifacts`; the weights are tensors by name."""
        state = {name: value for name, value in vars(self).items() if name.endswith("_") and name != "net_"}
        return {**state, "tensors": dict(self.net_.state_dict())}

    def from_state(self, state: dict[str, Any]) -> Self:
        for name, value in state.items():
            if name != "tensors":
                setattr(self, name, value)
        self.net_ = self._made()
        self.net_.load_state_dict(state["tensors"])
        self.net_.eval()
        return self


@dataclass(frozen=True, eq=False)
class _Maps:
    """Counts, what is usual and its systematic variance (n, planes, height, width), and how far each is believed."""

    counts: Floats
    mean: Floats
    variance: Floats
    trust: npt.NDArray[np.float32]


class _Net(nn.Module):
    """Pulls and their means over windows, filters, the largest answer of each anywhere, two dense layers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filters = nn.Conv2d(1 + len(WINDOWS), channels, 1)
        self.more = nn.Conv2d(channels, channels, 1)
        self.dense = nn.Linear(channels, 8)
        self.last = nn.Linear(8, 3)

    def forward(self, pulls: torch.Tensor) -> torch.Tensor:
        """(n, planes, height, width) to (n, 3) logarithms of odds."""
        n, planes = pulls.shape[:2]
        flat = pulls.reshape(n * planes, 1, *pulls.shape[2:])
        looks = [flat]
        for size in WINDOWS:
            mean = functional.avg_pool2d(flat, size, stride=1, padding=size // 2, count_include_pad=False)
            looks.append(mean * size)
        found = functional.relu(self.filters(torch.cat(looks, dim=1)))
        found = functional.relu(self.more(found)).amax(dim=(2, 3))
        best = found.reshape(n, planes, -1).amax(dim=1)
        answer: torch.Tensor = self.last(functional.relu(self.dense(best)))
        return answer


def _pulled(counts: Floats, mean: Floats, variance: Floats) -> torch.Tensor:
    """Bounded pulls in units in which a network likes to learn."""
    pulls = pulls_of(counts, np.maximum(mean, 1e-6), variance)
    return torch.from_numpy((np.clip(np.asarray(pulls), -FARTHEST, FARTHEST) / 5.0).astype(np.float32))
