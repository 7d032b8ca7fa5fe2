"""The recipes that a coordinator can choose for a system: what its models are made of, by name.

A recipe is a part of `mlcore.pipeline.SystemConfig`. Which one a system has is a row of `RecipeChoice`; none means
`standard`. What TRAINING_RECIPE sets for the installation still counts above it. docs/recipes.md describes each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Max

from certifier.accounts.models import System

from .errors import RecipeNotFound
from .models import RecipeChoice

STANDARD: Final = "standard"


@dataclass(frozen=True)
class NamedRecipe:
    """`needs` says in words what a system must have for it; `source` is the paper or talk that it follows."""

    name: str
    title: str
    words: str
    needs: str = "histograms of any kind"
    source: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)


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
        needs="histograms of two axes",
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
        needs="several histograms of one axis",
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
        needs="histograms of several physics objects",
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
