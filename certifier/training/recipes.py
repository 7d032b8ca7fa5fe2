"""The recipes that a coordinator can choose for a system: what its models are made of, by name.

A recipe is a part of `mlcore.pipeline.SystemConfig`. Which one a system has is a row of `RecipeChoice`; none means
`standard`. What TRAINING_RECIPE sets for the installation still counts above it. docs/recipes.md describes each, and
`needs` says what a system must have for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Max

from certifier.accounts.models import System
from certifier.monitoring.models import Element
from certifier.precert.looks import looks_at

from .errors import RecipeNotFound
from .models import RecipeChoice
from .needs import ANY, LUMINOSITY, MAPS, OBJECTS, QUANTITIES, SEVERAL, SIGNALS, TIMES, WIRES, Needs

STANDARD: Final = "standard"


@dataclass(frozen=True)
class NamedRecipe:
    """`source` is the paper or talk that it follows."""

    name: str
    title: str
    words: str
    needs: Needs = ANY
    source: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)

    def looks_at(self, element: Element) -> bool:
        """Whether any of its detectors would."""
        # Those of the standard are for histograms of every kind.
        return any(looks_at(each, element) for each in self.config.get("detectors", ({},)))


def _detector(name: str, **columns: Any) -> dict[str, Any]:
    return {"name": name, **columns}


RECIPES: Final[tuple[NamedRecipe, ...]] = (
    NamedRecipe(
        name=STANDARD,
        title="Standard",
        words=(
            "Calibrated Poisson pulls and a scan of regions against a reference that follows luminosity and pile-up, "
            "and boosted trees over their scores, the shapes of histograms and the neighbours in time."
        ),
    ),
    NamedRecipe(
        name="adaptive-reference",
        title="Adaptive reference",
        words=(
            "References that forget exponentially and carry an uncertainty of their own, for detectors that change "
            "from week to week; boosted trees above them."
        ),
        source="arXiv:2501.19237",
        config={"detectors": [_detector("ewma"), _detector("scan", axes=2)]},
    ),
    NamedRecipe(
        name="factors",
        title="Non-negative factors",
        words=(
            "Good histograms as sums of non-negative factors; what is left over in the worst bins is the score, with "
            "boosted trees above it."
        ),
        source="arXiv:2309.10157 and the pixel monitoring of CMS",
        config={"detectors": [_detector("nmf"), _detector("pulls", axes=1), _detector("pulls", axes=2)]},
    ),
    NamedRecipe(
        name="map-autoencoder",
        title="Autoencoder of maps",
        words=(
            "A convolutional autoencoder of occupancy maps with spatial and time correction beside the pulls, with "
            "boosted trees above. Learns for minutes."
        ),
        needs=MAPS,
        source="arXiv:2309.10157",
        config={
            "detectors": [_detector("conv_autoencoder", axes=2), _detector("pulls", axes=2), _detector("pulls", axes=1)]
        },
    ),
    NamedRecipe(
        name="elements-together",
        title="Elements together",
        words=(
            "One autoencoder over the bins of all histograms of one axis at once: what happens to one of them must "
            "agree with what happens to the others. Pulls beside it, boosted trees above."
        ),
        needs=SEVERAL,
        source="CMS DP-2023/032: one autoencoder for each element",
        config={
            "detectors": [
                _detector("elements_autoencoder", axes=1, together=True),
                _detector("pulls", axes=1),
                _detector("pulls", axes=2),
            ]
        },
    ),
    NamedRecipe(
        name="channels",
        title="A branch for each physics object",
        words=(
            "A network with one branch per physics object, joined so that one that sees a fault is enough: what is "
            "bad names the object that sees it. Learns from labels of the whole."
        ),
        needs=OBJECTS,
        source="arXiv:1711.07051",
        config={"classifier": "channel_net"},
    ),
    NamedRecipe(
        name="quality-classes",
        title="Quality classes",
        words=(
            "Shapes of histograms in units of what is usual, their main components, and randomised trees above them, "
            "as the quality assurance of a time projection chamber."
        ),
        source="ALICE TPC: 217 parameters, 26 components, a random forest",
        config={"classifier": "tpc_forest"},
    ),
    NamedRecipe(
        name="hot-and-dead",
        title="Good, hot or dead",
        words=(
            "A convolutional classifier of maps that learns from good ones with hot and dead regions put in, of any "
            "size and anywhere, so it needs no bad ones. Pulls beside it, boosted trees above."
        ),
        needs=MAPS,
        source="G. Fidalgo, maps of the hadronic calorimeter of CMS, 2018",
        config={
            "detectors": [_detector("occupancy_cnn", axes=2), _detector("pulls", axes=2), _detector("pulls", axes=1)]
        },
    ),
    NamedRecipe(
        name="rates",
        title="Rates from luminosity",
        words=(
            "Quantities such as trigger rates, forecast from luminosity and pile-up at the level of the run, prescales "
            "known: what lies outside its quantiles, or all of them together, is odd. Histograms are held against "
            "their reference. No classifier above: the forecast's own odds of a fault are better where faults are few."
        ),
        needs=QUANTITIES,
        config={
            "detectors": [
                _detector("rates", quantities=True),
                _detector("pulls", axes=1),
                _detector("pulls", axes=2),
            ],
            "classifier": "none",
        },
    ),
    NamedRecipe(
        name="pulses",
        title="Pulsed signals",
        words=(
            "Signals of slow control that repeat, as a pulsed magnet does: followed in phase, speed and height, and "
            "forecast reading by reading. Boosted trees above."
        ),
        needs=SIGNALS,
        config={"detectors": [_detector("pulses", axes=1, unit="s")], "shape_features": False},
    ),
    NamedRecipe(
        name="phase",
        title="Phase of the read-out",
        words=(
            "Times of hits of which a part comes some ticks of the clock early or late, added up over the run so far. "
            "Pulls beside it, boosted trees above."
        ),
        needs=TIMES,
        source="level-1 phases of the ALICE EMCAL",
        config={
            "detectors": [
                _detector("phase", axes=1, unit="ns"),
                _detector("pulls", axes=1),
                _detector("pulls", axes=2),
            ]
        },
    ),
    NamedRecipe(
        name="drift-tubes",
        title="Layers of drift tubes",
        words=(
            "Each layer of wires by itself: regions that do not fit to what is smooth about it, and a small "
            "convolutional network that has seen faulty ones, as soon as there are labels enough. And the layers of a "
            "chamber against each other: one that sees less than the others let one expect. Boosted trees above."
        ),
        needs=WIRES,
        source="arXiv:1808.00911, its local and its regional problem",
        config={
            "detectors": [
                _detector("layer_scan", axes=1),
                _detector("layer_scan", axes=2),
                _detector("layer_cnn", axes=1),
                _detector("layer_cnn", axes=2),
                _detector("chamber_layers", axes=2),
            ]
        },
    ),
    NamedRecipe(
        name="endcaps",
        title="Maps around a beam",
        words=(
            "Towers, windows and sectors against the mean of their ring, which knows nothing of luminosity, pile-up "
            "and ageing; maps of arrival times in parallel, for clocks that are wrong. Boosted trees above."
        ),
        needs=MAPS,
        source="the occupancy and timing maps of the ECAL endcaps of CMS",
        config={
            "detectors": [_detector("ring_map", axes=2), _detector("timing_map", axes=3), _detector("pulls", axes=1)]
        },
    ),
    NamedRecipe(
        name="flat-in-luminosity",
        title="Flat in luminosity",
        words=(
            "A network that learns against an adversary, who tries to tell luminosity from its answer, and a score "
            "on the scale of good data of the same luminosity: what it certifies is no choice of it, even where "
            "faults come with much or little of it."
        ),
        needs=LUMINOSITY,
        source="arXiv:1611.01046",
        config={"classifier": "decorrelated"},
    ),
    NamedRecipe(
        name="no-labels",
        title="Without labels",
        words=(
            "Detectors alone, no classifier: how odd a lumisection is beside good ones. For a system of which nothing "
            "bad is known yet; everything odd is left to experts."
        ),
        config={"classifier": "none"},
    ),
)
BY_NAME: Final = {each.name: each for each in RECIPES}


def find_recipe(name: str) -> NamedRecipe:
    """Raises RecipeNotFound."""
    try:
        return BY_NAME[name]
    except KeyError:
        raise RecipeNotFound(name, list(BY_NAME)) from None


def choices(systems: Iterable[System]) -> dict[int, RecipeChoice]:
    """By system, the choice that holds; a system for which nobody chose is not in it."""
    rows = RecipeChoice.objects.filter(system__in=list(systems))
    newest = rows.order_by().values("system").annotate(newest=Max("id")).values("newest")
    return {row.system_id: row for row in RecipeChoice.objects.filter(pk__in=newest)}


def chosen_recipe(system: System) -> NamedRecipe:
    """What was chosen for a system, else the standard. A recipe that this version does not have any more counts as
    the standard, which the page says."""
    choice = choices([system]).get(system.pk)
    return BY_NAME.get(choice.recipe, BY_NAME[STANDARD]) if choice else BY_NAME[STANDARD]
