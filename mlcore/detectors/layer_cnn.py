"""Single layers of wires, told good from faulty by a small convolutional network that has seen both."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.nn import functional

from mlcore.conditions import FloatArray
from mlcore.errors import BadLabels, IncompatibleBinning
from mlcore.histograms import HistogramBlock

from .base import Detector
from .layer_scan import LayerScan

#: log-odds that are told apart
_FARTHEST = 30.0


class LayerCnn(Detector):
    """Log-odds of a faulty layer, from its wires and from what a scan of them shows.

    Each layer comes as bounded pulls and as hits over what is expected of it, single wires taken out by a running
    median (`LayerScan`, learned from the good ones). Filters look along the wires, their largest and mean answers and
    the looks of the scan go through a dense layer. A few networks are averaged; both kinds of layers count alike.

    Takes blocks whose last axis are wires, of one layer, or of several along the first axis; then a row is faulty when
    one of its layers is.

    Parameters
    ----------
    channels : filters. members : networks. epochs, batch_size, learning_rate : of Adam, cosine course.
    random_state : of starts and order.

    Source: arXiv:1808.00911 (`mlcore.bench.peers.layers`), there on the layer divided by its largest wire.
    """

    consumes: ClassVar[Literal["block", "table"]] = "block"
    supervised = True
    fewest = 50

    def __init__(
        self,
        *,
        channels: int = 8,
        members: int = 2,
        epochs: int = 12,
        batch_size: int = 64,
        learning_rate: float = 5e-3,
        random_state: int = 0,
    ) -> None:
        self.channels = channels
        self.members = members
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def layer_scores(self, block: HistogramBlock) -> FloatArray:
        """(n, layers) log-odds of each layer; NaN for a histogram that is missing or empty."""
        check_is_fitted(self, "layout_")
        self._check_kind(block)
        if (block.element, *block.axes) != self.layout_:
            raise IncompatibleBinning("LayerCnn: these layers have other axes than those it was fitted on.")
        found = np.full((len(block), len(self.scan_.base_)), np.nan)
        usable = self._usable(block)
        if usable.any():
            found[usable] = self._layer_scores(block.select(usable))
        return found

    def _score(self, data: HistogramBlock) -> FloatArray:
        return np.asarray(self._layer_scores(data).max(axis=1))

    def _layer_scores(self, data: HistogramBlock) -> FloatArray:
        wires, looks = self._inputs(data)
        with torch.no_grad():
            each = [net(wires, looks).double().numpy() for net in self.nets_]
        return np.asarray(np.clip(np.mean(each, axis=0), -_FARTHEST, _FARTHEST), dtype=np.float64)

    def _fit(self, data: HistogramBlock, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        assert labels is not None
        if np.unique(labels).size < 2:
            raise BadLabels("both good and faulty layers are needed among those that can be used.")
        self.scan_ = LayerScan().fit(data.select(labels == 0))
        wires, looks = self._inputs(data)
        trust = np.ones(len(labels)) if weights is None else weights
        for kind in (0, 1):
            trust = np.where(labels == kind, trust / max(float(trust[labels == kind].sum()), 1e-12), trust)
        trust = trust * len(labels) / 2.0
        told = torch.from_numpy(labels.astype(np.float32)), torch.from_numpy(trust.astype(np.float32))
        losses = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.nets_ = [self._made() for _ in range(self.members)]
            for net in self.nets_:
                losses.append(self._train(net, wires, looks, *told))
        self.loss_ = np.mean(losses, axis=0)

    def _train(
        self, net: _Net, wires: torch.Tensor, looks: torch.Tensor, bad: torch.Tensor, trust: torch.Tensor
    ) -> list[float]:
        optimiser = torch.optim.Adam(net.parameters(), lr=self.learning_rate, weight_decay=1e-4, fused=True)
        course = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.epochs * -(-len(bad) // self.batch_size))
        losses = []
        net.train()
        for _ in range(self.epochs):
            losses.append(0.0)
            for rows in torch.split(torch.randperm(len(bad)), self.batch_size):
                optimiser.zero_grad()
                # Along the wires nothing is special: half of the layers are looked at from the other end.
                shown = wires[rows] if torch.rand(()) < 0.5 else wires[rows].flip(-1)
                odds = net(shown, looks[rows]).amax(dim=1)
                loss = functional.binary_cross_entropy_with_logits(odds, bad[rows], weight=trust[rows])
                torch.autograd.backward(loss)
                optimiser.step()
                course.step()
                losses[-1] += float(loss.detach()) * len(rows) / len(bad)
        net.eval()
        return losses

    def _inputs(self, data: HistogramBlock) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, layers, 2, wires) pulls and ratios, and (n, layers, looks) of the scan."""
        pulls, ratio = self.scan_.seen(data)
        wires = np.stack([pulls / self.scan_.most, np.clip(_running_median(ratio), 0.0, 3.0) - 1.0], axis=2)
        tails = np.sqrt(np.minimum(-self.scan_.log_tails(pulls) / np.log(10.0), 100.0))
        return torch.from_numpy(wires.astype(np.float32)), torch.from_numpy(tails.astype(np.float32))

    def _made(self) -> _Net:
        return _Net(self.channels, len(self.scan_.laws_))

    def to_state(self) -> dict[str, Any]:
        """What was learned, for `mlcore.artifacts`; the weights of each net are tensors by name."""
        state = {name: value for name, value in vars(self).items() if name.endswith("_") and name != "nets_"}
        return {**state, "tensors": [dict(net.state_dict()) for net in self.nets_]}

    def from_state(self, state: dict[str, Any]) -> Self:
        for name, value in state.items():
            if name != "tensors":
                setattr(self, name, value)
        self.nets_ = [self._made() for _ in state["tensors"]]
        for net, tensors in zip(self.nets_, state["tensors"], strict=True):
            net.load_state_dict(tensors)
            net.eval()
        return self


class _Net(nn.Module):
    """Filters along the wires, their largest and mean answers and the looks of the scan, a dense layer."""

    def __init__(self, channels: int, looks: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(2, channels, 5, padding=2)
        self.second = nn.Conv1d(channels, channels, 5, padding=4, dilation=2)
        self.dense = nn.Linear(2 * channels + looks, 16)
        self.last = nn.Linear(16, 1)

    def forward(self, wires: torch.Tensor, looks: torch.Tensor) -> torch.Tensor:
        """(n, layers, 2, wires) and (n, layers, looks) to (n, layers) log-odds."""
        n, layers = wires.shape[:2]
        found = functional.relu(self.first(wires.reshape(n * layers, *wires.shape[2:])))
        found = functional.relu(self.second(found))
        seen = torch.cat([found.amax(dim=2), found.mean(dim=2), looks.reshape(n * layers, -1)], dim=1)
        odds: torch.Tensor = self.last(functional.relu(self.dense(seen)))
        return odds.reshape(n, layers)


def _running_median(values: FloatArray) -> FloatArray:
    """Median of three along the last axis; ends are repeated."""
    wide = np.concatenate([values[..., :1], values, values[..., -1:]], axis=-1)
    return np.asarray(np.median(np.stack([wide[..., :-2], wide[..., 1:-1], wide[..., 2:]]), axis=0))
