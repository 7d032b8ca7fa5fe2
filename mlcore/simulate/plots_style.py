"""How the simulator's pictures look: few colours that colour-blind readers tell apart, no ornament, small files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

COLOURS = ("#2b6cb0", "#d97706", "#2f855a", "#b83232", "#6b46c1", "#718096")
GREY = "#9aa0a6"


def tidy(axis: Any, *, grid: bool = True) -> None:
    """Removes what carries no information."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=7)
    axis.xaxis.label.set_size(8)
    axis.yaxis.label.set_size(8)
    if grid:
        axis.grid(color="#e5e7eb", lw=0.6)
        axis.set_axisbelow(True)


def save(figure: Any, path: Path) -> int:
    """Writes a PNG of at most 256 colours and returns its size in bytes."""
    from PIL import Image

    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    with Image.open(buffer) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    return path.stat().st_size
