"""`python -m mlcore.simulate.plots` draws every aspect of a world, into small files."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from mlcore.simulate.plots import PLOTS, main


def test_every_picture_is_drawn_and_none_is_empty(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path / "plots"), "--size", "s", "--seed", "2"]) == 0
    drawn = {path.stem: path for path in (tmp_path / "plots").glob("*.png")}
    assert set(drawn) == set(PLOTS)
    for path in drawn.values():
        with Image.open(path) as picture:
            assert min(picture.size) > 300
            counts = picture.convert("L").histogram()
        assert path.stat().st_size < 80_000
        # More than a frame on an empty page: a visible share of the picture is not white.
        assert sum(counts[:200]) > 0.01 * sum(counts)
