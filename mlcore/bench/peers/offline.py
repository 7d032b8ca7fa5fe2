"""The autoencoder of Pol et al. (EPJ Conf. 214 (2019) 06008) on offline features."""

from __future__ import annotations

from mlcore.detectors.autoencoder import AutoencoderDetector


def published_autoencoder(seed: int, *, epochs: int = 25) -> AutoencoderDetector:
    """Dense layers with PReLU, Adam at 1e-4, mean squared error over all standardised features, good lumisections only,
    nothing conditioned. Widths, batch and epochs are not published; these converge."""
    return AutoencoderDetector(
        hidden=(128, 64, 20), epochs=epochs, batch_size=32, learning_rate=1e-4, decay=False, conditioned=False,
        by_object=False, random_state=seed,
    )  # fmt: skip
