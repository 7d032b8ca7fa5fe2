"""What a system must have for a recipe: in words, as a question to its elements, and whether its runs need luminosity.

A recipe of which no detector would find anything to look at is refused; one that would only leave out what it is chosen
for says so, and can be chosen: the elements may come with the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from certifier.accounts.models import System
from certifier.monitoring.models import Element, Part
from certifier.runs.models import Lumisection

if TYPE_CHECKING:
    from .recipes import NamedRecipe


@dataclass(frozen=True)
class Needs:
    """`met` : whether elements are what the recipe is made for. `luminosity` : whether nothing could be learned of runs
    without it."""

    words: str
    met: Callable[[Sequence[Element]], bool]
    luminosity: bool = False


@dataclass(frozen=True)
class Lack:
    """Why a recipe is not for a system as it is; `is_refused` where nothing could be learned by it at all."""

    words: str
    is_refused: bool


def _some(fits: Callable[[Element], bool], *, least: int = 1) -> Callable[[Sequence[Element]], bool]:
    return lambda elements: sum(1 for each in elements if fits(each)) >= least


def _is_line(element: Element, *, unit: str | None = None, bins: int = 2) -> bool:
    """One axis with so many bins at least, in a unit."""
    return len(element.axes) == 1 and element.bins[0] >= bins and unit in (None, element.axes[0]["unit"])


def _along_wires(element: Element) -> bool:
    """Wires of a layer, or layers and their wires."""
    *layers, last = element.axes
    named = f"{last['name']} {last['label']}".lower()
    return len(layers) < 2 and not element.is_quantity and any(word in named for word in ("wire", "tube"))


def _objects(elements: Sequence[Element]) -> bool:
    return len({each.physics_object for each in elements if each.physics_object and not each.is_quantity}) > 1


ANY: Final = Needs("histograms of any kind", _some(lambda each: not each.is_quantity))
MAPS: Final = Needs("histograms of two axes", _some(lambda each: len(each.axes) == 2 and not each.is_quantity))
LUMINOSITY: Final = Needs(f"{ANY.words}, and luminosity or pile-up of its runs", ANY.met, luminosity=True)
SEVERAL: Final = Needs("several histograms of one axis", _some(_is_line, least=2))
OBJECTS: Final = Needs("histograms of several physics objects", _objects)
QUANTITIES: Final = Needs(
    "quantities, which are histograms of one bin, and luminosity", _some(lambda each: each.is_quantity)
)
SIGNALS: Final = Needs("readings along a time in s", _some(lambda each: _is_line(each, unit="s", bins=4)))
WIRES: Final = Needs(
    "histograms along wires, of one layer or of several (an axis called “wire” or “tube”)", _some(_along_wires)
)
TIMES: Final = Needs("histograms of times in ns", _some(lambda each: _is_line(each, unit="ns", bins=8)))


def elements_of(system: System) -> list[Element]:
    return list(Element.objects.filter(system=system).order_by("path"))


def lack_of(recipe: NamedRecipe, system: System, elements: Sequence[Element]) -> Lack | None:
    """What a system with these elements lacks for a recipe; None where it has everything."""
    if recipe.needs.met(elements):
        if not recipe.needs.luminosity or _luminosity_is_known(system):
            return None
        missing = "luminosity or pile-up of any run with histograms"
        return Lack(f"{system.code} lacks {missing}, so there would be nothing to learn.", is_refused=True)
    if not elements:
        return Lack(f"{system.code} has no element yet; this recipe needs {recipe.needs.words}.", is_refused=False)
    is_refused = not any(recipe.looks_at(each) for each in elements)
    rest = "so there would be nothing to learn" if is_refused else "so it would look at the other elements only"
    return Lack(f"{system.code} lacks {recipe.needs.words}, {rest}.", is_refused)


def _luminosity_is_known(system: System) -> bool:
    """Of some lumisection of a run in which the system has histograms, luminosity or pile-up."""
    runs = Part.objects.filter(element__system=system).order_by().values("dataset__run")
    known = Q(recorded_inv_nb__isnull=False) | Q(pileup__isnull=False)
    return Lumisection.objects.filter(known, run__in=runs).exists()
