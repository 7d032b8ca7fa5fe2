"""Regions of a histogram, described on its axes: a layer, some wires of it, a window, a sector, a ring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mlcore.conditions import FloatArray, IntArray
from mlcore.histograms import Axis

#: of a coordinate: its name, from where, to where; of an axis along which things are numbered (layers, wires) the first
#: and the last of them. Over the seam of a circular axis the first is the larger one.
Range = tuple[str, float, float]
#: degrees of a slice of azimuth, in which sectors of maps are looked at and regions of flat ones described
SLICE = 20
#: a region is named when good histograms show as much less often than this
RARE = 0.01
#: what is as rare as another up to this factor in the logarithm is about as rare
ABOUT = 0.8
#: bins of a region are off together when their middle pull is so large
OFF = 2.0


@dataclass(frozen=True, eq=False)
class OddRegion:
    """Bins that are far from what was expected together.

    bins : (m,) flat places. ranges : what bounds them, empty for the whole histogram. pull : deviation of all of them
    together in standard deviations, negative where too little is seen (or too early).
    """

    bins: IntArray
    ranges: tuple[Range, ...]
    pull: float


def region(axes: tuple[Axis, ...], bins: IntArray, pull: float) -> OddRegion:
    """These bins of a histogram, and how far off they are."""
    return OddRegion(np.sort(bins), ranges_of(axes, bins), float(pull))


def ranges_of(axes: tuple[Axis, ...], bins: IntArray) -> tuple[Range, ...]:
    """What bounds these bins: ranges along the axes where they are a box, an axis that they span left out; else, in a
    flat map, azimuth in degrees or the distance from its centre in bins, whichever bounds them more closely."""
    if not axes:  # times of all channels together, say
        return ()
    places = np.unravel_index(np.asarray(bins, dtype=np.int64), [axis.bins for axis in axes])
    taken = [np.unique(place) for place in places]
    if len(axes) == 2 and np.prod([one.size for one in taken]) > len(bins):
        return (_polar(axes, np.stack(places)),)
    return tuple(_range(axis, one) for axis, one in zip(axes, taken, strict=True) if one.size < axis.bins)


def along(axis: Axis, first: int, last: int) -> Range:
    """From bin `first` to bin `last`."""
    low, high = float(axis.edges[first]), float(axis.edges[last + 1])
    numbered = not axis.unit and low % 1 == 0.5 and bool(np.allclose(np.diff(axis.edges), 1.0))
    return (axis.name, low + 0.5, high - 0.5) if numbered else (axis.name, low, high)


def in_words(ranges: Iterable[Range]) -> str:
    """layer 9, wire 6 to 25."""
    return ", ".join(f"{name} {low:.4g}" + (f" to {high:.4g}" if high != low else "") for name, low, high in ranges)


def named(looks: Iterable[tuple[float, OddRegion]], pulls: FloatArray, *, most: int) -> list[OddRegion]:
    """At most so many of these that have no bin in common, the rarest first.

    `looks` have the log of how often a good histogram shows as much, `pulls` (m,) are of single bins, NaN or 0 where
    there is nothing to see. Of what is about as rare, or off in most of its bins, the largest is taken: every window of
    a silent sector is rare, and the sector is what is wrong.
    """
    left = [(tail, one) for tail, one in looks if tail < np.log(RARE)]
    found: list[OddRegion] = []
    while left and len(found) < most:
        rarest = min(tail for tail, _ in left)
        near = [one for tail, one in left if tail <= ABOUT * rarest or _is_off(pulls[one.bins], one.pull)]
        found.append(max(near, key=lambda each: len(each.bins)))
        left = [(tail, one) for tail, one in left if not np.intersect1d(one.bins, found[-1].bins).size]
    return found


def _is_off(pulls: FloatArray, way: float) -> bool:
    """Whether most bins in which there is something to see are off the same way."""
    seen = pulls[np.nan_to_num(pulls, nan=0.0) != 0]
    return bool(seen.size) and bool(np.median(seen) * np.sign(way) >= OFF)


def _range(axis: Axis, places: IntArray) -> Range:
    """`places` ascending. What lies on both sides of the seam of a circular axis begins after its largest gap."""
    first, last = int(places[0]), int(places[-1])
    if axis.circular and last - first + 1 > places.size:
        gap = int(np.diff(places).argmax())
        first, last = int(places[gap + 1]), int(places[gap])
    return along(axis, first, last)


def _polar(axes: tuple[Axis, ...], places: IntArray) -> Range:
    """Of (2, m) places in a flat map."""
    from_centre = places - np.array([[(axis.bins - 1) / 2] for axis in axes])
    distance = np.floor(np.hypot(*from_centre))
    slices = np.unique(np.floor(np.arctan2(from_centre[1], from_centre[0]) / (2 * np.pi) % 1.0 * (360 // SLICE)))
    if slices.size * 4 > 360 // SLICE:
        return "distance from the centre", float(distance.min()), float(distance.max()) + 1.0
    gaps = np.diff(np.append(slices, slices[0] + 360 // SLICE))
    widest = int(gaps.argmax())
    first, last = slices[(widest + 1) % slices.size], slices[widest]
    return "azimuth in degrees", float(first) * SLICE, float((last + 1) * SLICE)
