"""A small picture of a map, as a data address: one pixel per bin, readable on light and dark."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

# Strong enough on both grounds; how much there is of it is its opacity.
MANY, WRONG = (38, 120, 190), (224, 84, 46)


def picture(values: npt.NDArray[Any], wrong: npt.NDArray[Any] | None = None) -> str:
    """`values` (columns, rows) from 0, the first row at the bottom; bins in `wrong` are red."""
    level = np.asarray(values, dtype=np.float64).T[::-1]
    largest = np.quantile(level[level > 0], 0.995) if (level > 0).any() else 1.0
    pixels = np.zeros((*level.shape, 4), dtype=np.uint8)
    pixels[..., :3] = MANY
    pixels[..., 3] = np.clip(level / largest, 0.0, 1.0) * 235
    if wrong is not None:
        bad = np.asarray(wrong, dtype=bool).T[::-1]
        pixels[bad, :3], pixels[bad, 3] = WRONG, 235
    return "data:image/png;base64," + base64.b64encode(encode(pixels)).decode()


def encode(pixels: npt.NDArray[np.uint8]) -> bytes:
    """(rows, columns, 4) as PNG."""
    rows, columns, _ = pixels.shape
    lines = np.zeros((rows, 1 + 4 * columns), dtype=np.uint8)  # each line begins with its filter: none
    lines[:, 1:] = pixels.reshape(rows, 4 * columns)
    head = struct.pack(">IIBBBBB", columns, rows, 8, 6, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
