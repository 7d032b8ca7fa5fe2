"""The four autoencoders of chamber images in arXiv:1808.00911, each trained on good images of all chambers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from mlcore.conditions import FloatArray

Floats = npt.NDArray[np.floating[Any]]

LAYERS, WIRES = 12, 46
#: of the input of the denoising one; weight of the activations of the sparse one
NOISE, SPARSITY = 0.5, 1e-5


def images(counts: Floats) -> torch.Tensor:
    """(n, 1, 12, 46) images between 0 and 1, each by its own smallest and largest wire: layers keep their ratio."""
    low, high = counts.min(axis=(1, 2), keepdims=True), counts.max(axis=(1, 2), keepdims=True)
    return torch.from_numpy(((counts - low) / np.maximum(high - low, 1e-9)).astype(np.float32))[:, None]


def simple() -> nn.Sequential:
    """552 - 15 - 3 - 15 - 552."""
    n = LAYERS * WIRES
    return nn.Sequential(
        nn.Flatten(), nn.Linear(n, 15), nn.ReLU(), nn.Linear(15, 3), nn.ReLU(), nn.Linear(3, 15), nn.ReLU(),
        nn.Linear(15, n), nn.Unflatten(1, (1, LAYERS, WIRES)),
    )  # fmt: skip


def wide() -> nn.Sequential:
    """One layer of 100, for the denoising and for the sparse one."""
    n = LAYERS * WIRES
    return nn.Sequential(
        nn.Flatten(), nn.Linear(n, 100), nn.ReLU(), nn.Linear(100, n), nn.Unflatten(1, (1, LAYERS, WIRES))
    )


def convolutional() -> nn.Sequential:
    """Filters of 4 x 4 and pooling, twice, to a code of 88 numbers, and back; how many there are is not published.
    Leaky, since plain rectifiers were all silent after some starts."""
    same = (1, 2, 1, 2)
    return nn.Sequential(
        nn.ZeroPad2d(same), nn.Conv2d(1, 8, 4), nn.LeakyReLU(0.1), nn.MaxPool2d(2),
        nn.ZeroPad2d(same), nn.Conv2d(8, 4, 4), nn.LeakyReLU(0.1), nn.MaxPool2d((3, 2)),
        nn.ZeroPad2d(same), nn.Conv2d(4, 8, 4), nn.LeakyReLU(0.1), nn.Upsample(size=(LAYERS // 2, WIRES // 2)),
        nn.ZeroPad2d(same), nn.Conv2d(8, 8, 4), nn.LeakyReLU(0.1), nn.Upsample(size=(LAYERS, WIRES)),
        nn.ZeroPad2d(same), nn.Conv2d(8, 1, 4),
    )  # fmt: skip


#: by name: the network, noise of its input, weight of its activations
KINDS: dict[str, tuple[Callable[[], nn.Sequential], float, float]] = {
    "convolutional autoencoder": (convolutional, 0.0, 0.0),
    "sparse autoencoder": (wide, 0.0, SPARSITY),
    "denoising autoencoder": (wide, NOISE, 0.0),
    "simple autoencoder": (simple, 0.0, 0.0),
}


def trained(name: str, counts: Floats, *, epochs: int, seed: int, batch: int = 64, learning_rate: float = 1e-3) -> Any:
    """Adam on the mean squared error of good images (n, 12, 46)."""
    make, noise, sparsity = KINDS[name]
    x = images(counts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net: Any = make().train()
        optimiser = torch.optim.Adam(net.parameters(), lr=learning_rate)
        for _ in range(epochs):
            for rows in torch.split(torch.randperm(len(x)), batch):
                wanted = x[rows]
                given = wanted + noise * torch.randn_like(wanted) if noise else wanted
                optimiser.zero_grad()
                loss = (net(given) - wanted).square().mean()
                if sparsity:
                    loss = loss + sparsity * net[:3](given).abs().sum(dim=1).mean()
                torch.autograd.backward(loss)
                optimiser.step()
    return net.eval()


def layer_error(net: Any, counts: Floats, layer: int) -> FloatArray:
    """(n,) mean absolute error of the wires of one layer: the published score."""
    x = images(counts)
    with torch.no_grad():
        error = (net(x) - x).abs()[:, 0, layer].mean(dim=1)
    return np.asarray(error.double().numpy())
