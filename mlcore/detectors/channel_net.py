"""One branch per physics object, joined so that one that sees a fault is enough: a bad lumisection names its object."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.nn import functional

from mlcore.conditions import Conditions, FloatArray
from mlcore.errors import BadLabels, IncompatibleBinning, MlcoreError
from mlcore.features import FeatureTable

from .base import Detector
from .conditioning import Conditioner

#: what a branch says before it has learned anything: faults are rare
_AT_FIRST = -2.0
#: log-odds that are told apart
_FARTHEST = 30.0


class ChannelNet(Detector):
    """A lumisection is good when every physics object says so; learned from one label for all of them.

    Each branch sees the features of one object and answers how likely that object sees a fault; the lumisection is good
    with the product of what they leave over. The score is the log-odds of bad, and `object_scores` says which
    object sees it.

    Parameters
    ----------
    hidden : widths of each branch. members : nets that are averaged. dropout, epochs, batch_size, learning_rate : of
        the training (Adam with decay, cosine course).
    own : share of the loss in which each branch alone is asked for the label. With 0 a branch learns nothing of what
        another explains, with 1 each guesses at what it cannot see.
    neighbours : how far what a branch says is that of the lumisections before and after; 0 for none. Faults last.
    conditioned : features are first freed of what luminosity and pile-up make of them.
    random_state : of starts, order and dropout.

    Attributes after `fit`: `groups_` names of the objects, `loss_` (epochs,) of the training, mean of the members.
    Source: arXiv:1711.07051 (`mlcore.bench.peers.channels`), there with exp(sum (f - 1)) for the AND and branches that
    are asked alone only at the beginning.
    """

    consumes: ClassVar[Literal["table"]] = "table"
    supervised = True
    fewest = 50

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (32,),
        members: int = 2,
        dropout: float = 0.3,
        own: float = 0.3,
        neighbours: float = 0.5,
        epochs: int = 15,
        batch_size: int = 128,
        learning_rate: float = 2e-3,
        conditioned: bool = True,
        random_state: int = 0,
    ) -> None:
        self.hidden = hidden
        self.members = members
        self.dropout = dropout
        self.own = own
        self.neighbours = neighbours
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.conditioned = conditioned
        self.random_state = random_state

    def object_scores(self, table: FeatureTable) -> FloatArray:
        """(n, objects) log-odds that each physics object sees a fault, in the order of `groups_`; NaN for lumisections
        of which nothing is known."""
        check_is_fitted(self, "layout_")
        self._check_kind(table)
        if table.names != self.layout_:
            raise IncompatibleBinning("ChannelNet: these are other features than those it was fitted on.")
        found = np.full((len(table), len(self.groups_)), np.nan)
        usable = self._usable(table)
        if usable.any():
            found[usable] = self._by_object(table.select(usable))
        return found

    def seen_by(self, table: FeatureTable) -> list[str]:
        """The object that sees most of each lumisection's fault; empty for one of which nothing is known."""
        scores = self.object_scores(table)
        known = np.asarray(np.isfinite(scores).all(axis=1))
        best = np.where(known[:, None], scores, 0.0).argmax(axis=1)
        return [self.groups_[place] if there else "" for place, there in zip(best, known, strict=True)]

    def _by_object(self, table: FeatureTable) -> FloatArray:
        parts = self._parts(table)
        with torch.no_grad():
            each = [_answers(net, parts).double().numpy() for net in self.nets_]
        found = np.clip(np.mean(each, axis=0), -_FARTHEST, _FARTHEST)
        return beside(found, table.conditions, self.neighbours) if self.neighbours else found

    def _score(self, data: FeatureTable) -> FloatArray:
        good = -np.logaddexp(0.0, self._by_object(data)).sum(axis=1)
        return np.asarray(np.log(-np.expm1(np.minimum(good, -1e-12))) - good)

    def _fit(self, data: FeatureTable, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        assert labels is not None
        if np.unique(labels).size < 2:
            raise BadLabels("both good and bad lumisections are needed among those that can be used.")
        if not (0 <= self.own <= 1 and 0 <= self.neighbours < 1 and self.members >= 1):
            raise MlcoreError("ChannelNet: own and neighbours are shares, and there is at least one member.")
        good = labels == 0
        self.conditioner_ = Conditioner(conditioned=self.conditioned, by_events=False).fit(
            data.select(good) if good.sum() >= 10 else data
        )
        self.groups_ = tuple(dict.fromkeys(data.groups))
        self.places_ = [np.flatnonzero(np.array(data.groups) == name) for name in self.groups_]
        trust = np.ones(len(labels)) if weights is None else weights / weights.mean()
        told = torch.from_numpy(labels.astype(np.float32)), torch.from_numpy(trust.astype(np.float32))
        parts, losses = self._parts(data), []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.nets_ = [self._made() for _ in range(self.members)]
            for net in self.nets_:
                losses.append(self._train(net, parts, *told))
        self.loss_ = np.mean(losses, axis=0)

    def _made(self) -> nn.ModuleList:
        return nn.ModuleList(_branch((len(places), *self.hidden, 1), self.dropout) for places in self.places_)

    def _train(
        self, net: nn.ModuleList, parts: list[torch.Tensor], bad: torch.Tensor, trust: torch.Tensor
    ) -> list[float]:
        optimiser = torch.optim.AdamW(net.parameters(), lr=self.learning_rate, weight_decay=1e-3, fused=True)
        steps = self.epochs * -(-len(bad) // self.batch_size)
        course = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
        losses = []
        net.train()
        for _ in range(self.epochs):
            losses.append(0.0)
            for rows in torch.split(torch.randperm(len(bad)), self.batch_size):
                optimiser.zero_grad()
                loss = (self._losses(_answers(net, [part[rows] for part in parts]), bad[rows]) * trust[rows]).mean()
                torch.autograd.backward(loss)
                optimiser.step()
                course.step()
                losses[-1] += float(loss.detach()) * len(rows) / len(bad)
        net.eval()
        return losses

    def _losses(self, odds: torch.Tensor, bad: torch.Tensor) -> torch.Tensor:
        """(n,) cross-entropy of the whole, and the mean of that of each branch."""
        good = -functional.softplus(odds).sum(dim=1)
        whole = -bad * torch.log(-torch.expm1(good.clamp(max=-1e-6))) - (1.0 - bad) * good
        alone = functional.binary_cross_entropy_with_logits(odds, bad[:, None].expand_as(odds), reduction="none")
        return (1.0 - self.own) * whole + self.own * alone.mean(dim=1)

    def _parts(self, table: FeatureTable) -> list[torch.Tensor]:
        values = self.conditioner_.transform(table)
        return [torch.from_numpy(np.ascontiguousarray(values[:, places])) for places in self.places_]

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


def _branch(widths: tuple[int, ...], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths[:-1]):
        layers += [nn.Linear(before, after), nn.SiLU(), nn.Dropout(dropout)]
    last = nn.Linear(widths[-2], widths[-1])
    nn.init.constant_(last.bias, _AT_FIRST)
    return nn.Sequential(*layers, last)


def _answers(net: nn.ModuleList, parts: list[torch.Tensor]) -> torch.Tensor:
    """(n, objects) log-odds that each sees a fault."""
    return torch.cat([branch(part) for branch, part in zip(net, parts, strict=True)], dim=1)


def beside(values: FloatArray, conditions: Conditions, share: float) -> FloatArray:
    """(n, k) each row and the mean of the lumisections numbered one less and one more in its run, which counts `share`;
    a row that has neither stays as it is."""
    order = np.argsort(conditions.key, kind="stable")
    key, own = conditions.key[order], values[order]
    total, count = np.zeros_like(own), np.zeros((len(own), 1))
    after = np.flatnonzero(np.diff(key) == 1) + 1
    for here, there in ((after, after - 1), (after - 1, after)):
        total[here] += own[there]
        count[here] += 1
    mixed = np.where(count > 0, (1.0 - share) * own + share * total / np.maximum(count, 1), own)
    found = np.empty_like(mixed)
    found[order] = mixed
    return found
