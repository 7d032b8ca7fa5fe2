"""Convolutional autoencoders of occupancy maps, as the CMS ECAL first tried them and as it runs them today."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.nn import functional

from mlcore.conditions import Conditions, FloatArray
from mlcore.detectors.base import Detector
from mlcore.errors import MlcoreError, ShapeError
from mlcore.histograms import HistogramBlock

Floats = npt.NDArray[np.floating[Any]]
Size = tuple[int, int]

AT_ONCE = 128
DROPOUT = 0.1


class ConvAutoencoder(Detector):
    """Trained on good maps only; the score is how badly a map is rebuilt.

    Parameters
    ----------
    preprocessing : `rate` divides by the number of events and a line in pile-up, as the deployed monitoring does;
        `standard` gives each map mean 0 and standard deviation 1 (model 1 of the first study); `log` takes log(1 + x)
        and divides by the largest value (its model 2).
    network : `residual`, blocks with a shortcut around them, edges repeated and circular axes wrapped; or `pooled`, the
        plain architecture of the first study.
    spatial : divide map and rebuilt map by the average map before they are compared, so that dim channels count alike.
    window : geometric mean of the losses of so many lumisections of a run, channel by channel: what lasts, stays.
    reduce : `max` of the loss over channels, or their `mean`.
    channels : of the widest layer. epochs, batch, learning_rate : of the training.
    random_state : of the start, of batches and of dropout.

    Attributes
    ----------
    net_ : the trained torch module. average_ : (*bins) mean of the preprocessed training maps.
    line_ : intercept and slope of hits per event and channel in pile-up. history_ : mean loss of each epoch.

    Takes blocks of one to three axes; a third axis (depth) becomes channels of the image.

    Source: arXiv:2309.10157 and its deployed code (residual, spatial and time correction); N. Dev, CMS machine learning
    forum, 28 February 2018 (pooled, both preprocessings).
    """

    consumes: ClassVar[Literal["block", "table"]] = "block"

    def __init__(
        self,
        *,
        preprocessing: Literal["rate", "standard", "log"] = "rate",
        network: Literal["residual", "pooled"] = "residual",
        spatial: bool = True,
        window: int = 3,
        reduce: Literal["max", "mean"] = "max",
        channels: int = 8,
        epochs: int = 20,
        batch: int = 32,
        learning_rate: float = 0.003,
        random_state: int | None = 0,
    ) -> None:
        self.preprocessing = preprocessing
        self.network = network
        self.spatial = spatial
        self.window = window
        self.reduce = reduce
        self.channels = channels
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.random_state = random_state

    def losses(self, block: HistogramBlock) -> Floats:
        """(n, *bins) squared errors with the corrections asked for; NaN where the histogram is missing or empty."""
        check_is_fitted(self, "layout_")
        found = np.full((len(block), *block.bins), np.nan, dtype=np.float32)
        usable = self._usable(block)
        if usable.any():
            found[usable] = self._losses(block.select(usable))
        return found

    def rebuilt(self, block: HistogramBlock) -> tuple[Floats, Floats]:
        """The preprocessed histograms and what the network makes of them, both (n, *bins); no row may be missing."""
        check_is_fitted(self, "layout_")
        maps = self._prepared(block)
        self.net_.eval()
        images = torch.from_numpy(self._images(maps))
        with torch.no_grad():
            made = [self.net_(images[start : start + AT_ONCE]) for start in range(0, len(images), AT_ONCE)]
        made_maps = np.moveaxis(torch.cat(made).numpy(), 1, -1)
        return maps, np.ascontiguousarray(made_maps).reshape(maps.shape)

    def _losses(self, data: HistogramBlock) -> Floats:
        maps, made = self.rebuilt(data)
        error = maps - made
        if self.spatial:
            error /= self._floored_average()
        loss = np.square(error)
        return loss if self.window == 1 else _together(loss, data.conditions, self.window)

    def _score(self, data: HistogramBlock) -> FloatArray:
        loss = self._losses(data).reshape(len(data), -1)
        return np.asarray(loss.max(axis=1) if self.reduce == "max" else loss.mean(axis=1), dtype=np.float64)

    def _fit(self, data: HistogramBlock, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        if len(data.axes) > 3:
            raise ShapeError(f"{data.element}: {len(data.axes)} axes; a convolution takes one to three.")
        if self.window < 1 or self.epochs < 1 or self.batch < 1:
            raise MlcoreError("ConvAutoencoder: window, epochs and batch are numbers from 1.")
        believed = np.ones(len(data)) if weights is None else weights / weights.mean()
        self.line_ = _line(data, believed)
        maps = self._prepared(data)
        self.average_ = np.average(maps, axis=0, weights=believed)
        self.bins_ = data.bins
        self.circular_ = data.axes[-2 if len(data.axes) == 3 else -1].circular
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0 if self.random_state is None else self.random_state)
            self.net_ = self._build()
            self._train(torch.from_numpy(self._images(maps)), torch.from_numpy(believed.astype(np.float32)))

    def _build(self) -> nn.Module:
        height, width, depth = _image_shape(self.bins_)
        if self.network == "pooled":
            return Pooled((height, width), depth, bounded=self.preprocessing == "log")
        return Residual((height, width), depth, self.channels, circular=self.circular_)

    def _train(self, images: torch.Tensor, believed: torch.Tensor) -> None:
        optimiser: torch.optim.Optimizer
        if self.network == "pooled":
            optimiser = torch.optim.Adadelta(self.net_.parameters(), lr=1.0, rho=0.95, eps=1e-7)
        else:
            optimiser = torch.optim.Adam(self.net_.parameters(), lr=self.learning_rate)
        scale = torch.from_numpy(self._loss_scale())
        self.net_.train()
        self.history_: list[float] = []
        for _ in range(self.epochs):
            total = 0.0
            for rows in torch.split(torch.randperm(len(images)), self.batch):
                optimiser.zero_grad()
                each = ((self.net_(images[rows]) - images[rows]) * scale).square().mean(dim=(1, 2, 3))
                loss = (each * believed[rows]).mean()
                loss.backward()
                optimiser.step()
                total += float(loss.detach()) * len(rows)
            self.history_.append(total / len(images))
        self.net_.eval()

    def _loss_scale(self) -> Floats:
        """What errors are multiplied by in training: for the spatial correction, as in `losses`."""
        if not self.spatial:
            return np.ones((1, 1, 1, 1), dtype=np.float32)
        return self._images((1.0 / self._floored_average())[None])

    def _floored_average(self) -> Floats:
        """The average map, no channel below a tenth of the mean: a dead one has nothing to be compared with."""
        size = np.abs(self.average_)
        return np.asarray(np.maximum(size, 0.1 * size.mean() + 1e-12), dtype=np.float32)

    def _images(self, maps: Floats) -> npt.NDArray[np.float32]:
        """(n, *bins) as (n, channels, height, width)."""
        height, width, depth = _image_shape(self.bins_)
        return np.ascontiguousarray(np.moveaxis(maps.reshape(len(maps), height, width, depth), -1, 1), dtype=np.float32)

    def _prepared(self, data: HistogramBlock) -> Floats:
        counts = data.counts.astype(np.float32)
        flat = counts.reshape(len(data), -1)
        column = (-1, *([1] * len(data.axes)))
        if self.preprocessing == "log":
            logs = np.log1p(counts)
            return np.asarray(logs / np.maximum(logs.reshape(len(data), -1).max(axis=1), 1e-6).reshape(column))
        if self.preprocessing == "standard":
            middle, width = flat.mean(axis=1).reshape(column), flat.std(axis=1).reshape(column)
            return np.asarray((counts - middle) / np.maximum(width, 1e-6))
        expected = data.conditions.events * (self.line_[0] + self.line_[1] * data.conditions.pileup)
        # Where events or pile-up are not known, the map's own mean has to do.
        unknown = ~(np.isfinite(expected) & (expected > 0))
        expected = np.where(unknown, flat.mean(axis=1), expected)
        return np.asarray(counts / np.maximum(expected, 1e-6).reshape(column).astype(np.float32))

    def to_state(self) -> dict[str, Any]:
        """What was learned, the network as tensors."""
        state = {name: value for name, value in vars(self).items() if name.endswith("_") and name != "net_"}
        return {**state, "tensors": dict(self.net_.state_dict())}

    def from_state(self, state: dict[str, Any]) -> Self:
        for name, value in state.items():
            if name != "tensors":
                setattr(self, name, value)
        self.net_ = self._build()
        self.net_.load_state_dict(state["tensors"])
        self.net_.eval()
        return self


class Pooled(nn.Module):
    """The architecture of the first study: 6, 6, 4, 4 channels with pooling between, and the same way back. Its pooling
    of 5 x 5 turns cells into towers; a map that is not of cells (170 x 360) begins behind it."""

    def __init__(self, size: Size, depth: int, *, bounded: bool) -> None:
        super().__init__()
        flat = size[0] == 1
        first: Size = (5, 5) if size[0] % 5 == 0 and size[1] % 5 == 0 and min(size) >= 100 else (1, 1)
        self.pools: list[Size] = [first, (1 if flat else 2, 2), (1 if flat else 2, 3)]
        self.size = size
        factors = [int(np.prod([pool[axis] for pool in self.pools])) for axis in (0, 1)]
        self.padding = (0, -size[1] % factors[1], 0, -size[0] % factors[0])
        kernels: list[Size] = [(5, 5), (4, 4), (2, 2), (2, 2), (2, 1), (4, 4), (5, 5), (5, 5)]
        widths = [depth, 6, 6, 4, 4, 4, 6, 6, depth]
        self.layers = nn.ModuleList(
            Same(one, two, (1 if flat else kernel[0], kernel[1]))
            for one, two, kernel in zip(widths[:-1], widths[1:], kernels, strict=True)
        )
        self.dropout = nn.Dropout(DROPOUT)
        self.bounded = bounded

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        values = functional.pad(images, self.padding)
        for layer, pool in zip(self.layers[:3], self.pools, strict=True):
            values = functional.max_pool2d(functional.leaky_relu(layer(values), 0.3), pool)
        values = self.dropout(functional.leaky_relu(self.layers[3](values), 0.3))
        for layer, pool in zip(self.layers[4:7], reversed(self.pools), strict=True):
            grown = functional.interpolate(values, scale_factor=(float(pool[0]), float(pool[1])))
            values = functional.leaky_relu(layer(grown), 0.3)
        made = self.layers[7](values)[..., : self.size[0], : self.size[1]]
        return torch.tanh(made) if self.bounded else made


class Same(nn.Module):
    """Convolution to the same size with zeros around, also for kernels of even size."""

    def __init__(self, inputs: int, outputs: int, kernel: Size) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel)
        (high, wide) = kernel
        self.padding = ((wide - 1) // 2, wide // 2, (high - 1) // 2, high // 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.convolution(functional.pad(images, self.padding))
        return made


class Residual(nn.Module):
    """Two halvings, blocks with shortcuts, and back. One row at open edges is repeated, circular axes wrap."""

    def __init__(self, size: Size, depth: int, channels: int, *, circular: bool) -> None:
        super().__init__()
        self.size = size
        self.step: Size = (1 if size[0] == 1 else 2, 2)
        self.kernel: Size = (1 if size[0] == 1 else 3, 3)
        self.circular = circular
        # Edges repeated up to a multiple of what two halvings need, at least one row each side where axes are open.
        self.border = tuple(_border(bins, step**2, size[axis] > 1 and not (axis and circular))
                            for axis, (bins, step) in enumerate(zip(size, self.step, strict=True)))  # fmt: skip
        self.enter = nn.Conv2d(depth, channels, self.kernel)
        self.down = nn.ModuleList(nn.Conv2d(channels, channels, self.kernel, stride=self.step) for _ in range(2))
        self.blocks = nn.ModuleList(nn.Conv2d(channels, channels, self.kernel) for _ in range(4))
        self.squeeze = nn.Conv2d(channels, max(channels // 2, 1), 1)
        self.widen = nn.Conv2d(max(channels // 2, 1), channels, 1)
        self.up = nn.ModuleList(nn.Conv2d(channels, channels, self.kernel) for _ in range(2))
        self.leave = nn.Conv2d(channels, depth, self.kernel)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        above, left = self.border[0][0], self.border[1][0]
        values = functional.relu(self.enter(self._around(_repeat(images, self.border))))
        for place, layer in enumerate(self.down):
            values = functional.relu(layer(self._around(values)))
            values = self._block(values, place)
        values = self.widen(self.squeeze(values))
        for place, layer in enumerate(self.up):
            grown = functional.interpolate(values, scale_factor=(float(self.step[0]), float(self.step[1])))
            values = functional.relu(layer(self._around(grown)))
            values = self._block(values, place + 2)
        made: torch.Tensor = self.leave(self._around(values))
        return made[..., above : above + self.size[0], left : left + self.size[1]]

    def _block(self, values: torch.Tensor, place: int) -> torch.Tensor:
        return values + functional.relu(self.blocks[place](self._around(values)))

    def _around(self, values: torch.Tensor) -> torch.Tensor:
        """One more bin on each side, wrapped along a circular second axis and repeated elsewhere."""
        wide = functional.pad(values, (1, 1, 0, 0), mode="circular" if self.circular else "replicate")
        return functional.pad(wide, (0, 0, 1, 1), mode="replicate") if self.kernel[0] > 1 else wide


def _border(bins: int, multiple: int, open_edge: bool) -> Size:
    least = 2 if open_edge else 0
    extra = least + (-(bins + least)) % multiple
    return extra // 2, extra - extra // 2


def _repeat(images: torch.Tensor, border: tuple[Size, ...]) -> torch.Tensor:
    (above, below), (left, right) = border
    return functional.pad(images, (left, right, above, below), mode="replicate")


def _image_shape(bins: tuple[int, ...]) -> tuple[int, int, int]:
    """Height, width, depth: a line lies along the width, a third axis is the depth."""
    height, width, depth = (1, bins[0], 1) if len(bins) == 1 else (*bins[:2], bins[2] if len(bins) == 3 else 1)
    return int(height), int(width), int(depth)


def _line(data: HistogramBlock, believed: FloatArray) -> FloatArray:
    """Hits per event and channel as a line in pile-up, (0, 0) when not known, level when pile-up does not vary."""
    conditions = data.conditions
    known = (conditions.events > 0) & np.isfinite(conditions.pileup) & (believed > 0)
    if known.sum() < 2:
        return np.zeros(2)
    rate = data.flat[known].mean(axis=1) / conditions.events[known]
    pileup = conditions.pileup[known]
    if np.ptp(pileup) < 1e-6 * max(float(np.abs(pileup).max()), 1e-6):
        return np.array([float(np.average(rate, weights=believed[known])), 0.0])
    slope, level = np.polyfit(pileup, rate, 1, w=np.sqrt(believed[known]))
    return np.array([level, slope])


def _together(loss: Floats, conditions: Conditions, window: int) -> Floats:
    """Geometric mean of each channel's loss over the last `window` lumisections of the run, fewer at its start."""
    logs = np.log(loss + 1e-12)
    row = np.arange(len(loss))
    starts = np.r_[True, conditions.run[1:] != conditions.run[:-1]]
    first = np.maximum(np.maximum.accumulate(np.where(starts, row, 0)), row - window + 1)
    total = np.concatenate([np.zeros_like(logs[:1], dtype=np.float64), np.cumsum(logs, axis=0, dtype=np.float64)])
    number = (row + 1 - first).reshape(-1, *([1] * (loss.ndim - 1)))
    return np.asarray(np.exp((total[row + 1] - total[first]) / number), dtype=np.float32)
