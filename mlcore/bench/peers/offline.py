"""The autoencoder of Pol et al. (EPJ Conf. 214 (2019) 06008) on offline features."""

from __future__ import annotations

from mlcore.detectors.autoencoder import AutoencoderDetector

#: of the good lumisections that it is given the last quarter is watched: of 60% and 20% of the time it learns from 60%
WATCHED = 0.25


def published_autoencoder(seed: int, *, epochs: int = 60) -> AutoencoderDetector:
    """Dense layers with PReLU, Adam at 1e-4, mean squared error over all standardised features, good lumisections only,
    nothing conditioned. Widths and batch are not published. It trains until the error of the validation part has fallen
    by less than 1% over five epochs, which it does after some thirty."""
    return AutoencoderDetector(
        hidden=(128, 64, 20), epochs=epochs, batch_size=32, learning_rate=1e-4, decay=False, conditioned=False,
        by_object=False, validation=WATCHED, random_state=seed,
    )  # fmt: skip
