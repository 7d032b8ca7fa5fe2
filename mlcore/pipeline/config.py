"""What a system model is made of, as a value that can be written as JSON and compared."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any

from mlcore.detectors.base import Detector
from mlcore.errors import MlcoreError


@dataclass(frozen=True)
class DetectorConfig:
    """A detector by name, and which inputs it is fitted on, one copy each.

    Parameters
    ----------
    name : module in `mlcore.detectors` (`pulls`), or `module:Class` where a module has several.
    parameters : for its constructor.
    elements : patterns like `EcalBarrel/*`; a table of features is called `features`.
    axes : only histograms of so many axes; None for any.
    together : one copy for all these histograms, whose bins it gets side by side as a table (`bin_features`).
    quantities : one copy for all elements of one bin, which it gets as columns of a table (`features.quantities`); no
        other detector looks at these.
    unit : only histograms whose first axis has this unit; None for any.
    """

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    elements: tuple[str, ...] = ("*",)
    axes: int | None = None
    together: bool = False
    quantities: bool = False
    unit: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "elements", tuple(self.elements))
        # JSON knows no tuples; parameters of detectors that are sequences are.
        object.__setattr__(self, "parameters", {name: _tuples(value) for name, value in self.parameters.items()})

    def build(self, random_state: int) -> Detector:
        """An unfitted detector. Raises MlcoreError when there is none of that name or with those parameters."""
        cls = detector_class(self.name)
        try:
            made = cls(**self.parameters)
        except TypeError as problem:
            raise MlcoreError(f"{self.name}: {problem}. Look at its docstring for parameters.") from problem
        if "random_state" in made.get_params(deep=False) and "random_state" not in self.parameters:
            made.set_params(random_state=random_state)
        return made

    def takes(self, element: str) -> bool:
        return any(fnmatchcase(element, pattern) for pattern in self.elements)

    def looks_at(self, element: str, axes: Sequence[tuple[int, str]]) -> bool:
        """Whether it is meant for an element with these axes, each as its number of bins and its unit."""
        if not self.takes(element) or self.quantities != all(bins == 1 for bins, _ in axes):
            return False
        return (self.axes is None or len(axes) == self.axes) and (self.unit is None or axes[0][1] == self.unit)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(one) for one in value) if isinstance(value, list | tuple) else value


def detector_class(name: str) -> type[Detector]:
    """The class of a detector by name; its module is loaded now and not before. Raises MlcoreError."""
    module_name, _, class_name = name.partition(":")
    if not module_name.isidentifier() or module_name == "base":
        raise MlcoreError(f"{name!r} is no name of a detector; it is the name of a file in mlcore/detectors.")
    try:
        module = importlib.import_module(f"mlcore.detectors.{module_name}")
    except ModuleNotFoundError as problem:
        if problem.name != f"mlcore.detectors.{module_name}":
            raise
        raise MlcoreError(f"there is no detector {module_name!r}; look into mlcore/detectors.") from None
    found = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type)
        and issubclass(thing, Detector)
        and thing.__module__ == module.__name__
        and class_name in ("", thing.__name__)
        and not thing.__name__.startswith("_")
    ]
    if len(found) != 1:
        names = ", ".join(sorted(thing.__name__ for thing in found)) or "none that fits"
        raise MlcoreError(f"{name!r} is not clear: mlcore.detectors.{module_name} has {names}; write module:Class.")
    return found[0]


#: of the scan in a system model, where `pulls` look at single bins already: a region and a module, each in one
#: lumisection and in the sum of three; all windows of the scan would take more than twice as long
SCAN = {"kernels": ((5, 5), (17, 4)), "stacks": (1, 3)}

DEFAULT_DETECTORS = (
    DetectorConfig("pulls", axes=1),
    DetectorConfig("pulls", axes=2),
    DetectorConfig("scan", SCAN, axes=2),
    DetectorConfig("pulls", axes=3),
    DetectorConfig("pca", elements=("features",)),
)


@dataclass(frozen=True)
class SystemConfig:
    """Everything that is chosen before training.

    Parameters
    ----------
    system : name of the system.
    elements : elements without which no verdict is given; empty for those that nearly always were there in training.
    detectors : see `DetectorConfig`.
    shape_features : whether mean, width and quantiles of 1D histograms, less what is usual in their run, are features
        of the classifier.
    classifier : a supervised detector on tables, by name, or `none`.
    classifier_parameters : for its constructor.
    most_features : the classifier sees at most so many columns, those that separate best one by one.
    pollution, loss, confidence : limits of the guarantee, see `SelectivePolicy`; None switches a side off.
    enough : share of the luminosity that need not be exceeded by what is called good; least : and from which on that is
        worth having. See `SelectivePolicy`.
    window : neighbours on each side in the same run that count as context; far : the same for what lasts longer and is
        too weak to be seen in a few lumisections, 0 for none.
    required : smallest share of the needed elements that gives a score at all.
    shares : of the lumisections, in order of time: detectors, classifier, calibration, guarantee.
    gap : runs left out between two of these.
    promise : on which confirmed lumisections the guarantee is measured: on those of the `last` part, or on `all`, each
        scored by detectors and a classifier that have not seen its run: those of the first two parts by copies that
        learned from other runs of them, later ones by copies that learned from all before, anew for each of `refresh`
        pieces. Then the final classifier learns from everything, and the runs that taught are taken to be like those
        that come.
    refresh : what comes after the first part is cut into so many pieces, and before each the detectors learn anew from
        everything before it, as they would week by week; the final ones learn from all. 0 leaves the detectors as
        they were after the first part, and they grow old. The calibration never sees the last part, and the classifier
        does only with a promise on `all`.
    folds : of runs, for scores of the first part that no detector has learned from, and for the classifier's own.
    family_trees : randomised trees that tell which defect it is; most of what a model is on disk.
    stretch : (low, high) of P(bad) for the hysteresis of stretches; shortest, bridge : see `stretches`.
    random_state : of everything that uses chance.
    """

    system: str = "system"
    elements: tuple[str, ...] = ()
    detectors: tuple[DetectorConfig, ...] = DEFAULT_DETECTORS
    shape_features: bool = True
    classifier: str = "boosting"
    classifier_parameters: dict[str, Any] = field(default_factory=dict)
    most_features: int = 250
    pollution: float | None = 0.005
    loss: float | None = 0.005
    confidence: float = 0.95
    enough: float = 1.0
    least: float = 0.0
    window: int = 2
    far: int = 16
    required: float = 0.5
    shares: tuple[float, float, float, float] = (0.3, 0.3, 0.1, 0.3)
    gap: int = 1
    promise: str = "last"
    refresh: int = 4
    folds: int = 3
    family_trees: int = 120
    stretch: tuple[float, float] = (0.5, 0.9)
    shortest: int = 1
    bridge: int = 1
    random_state: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "detectors", tuple(self.detectors))
        object.__setattr__(self, "elements", tuple(self.elements))
        object.__setattr__(self, "shares", tuple(self.shares))
        object.__setattr__(self, "stretch", tuple(self.stretch))
        shares: tuple[float, ...] = self.shares
        if len(shares) != 4 or min(shares) <= 0 or sum(shares) > 1 + 1e-9:
            raise MlcoreError("shares are four positive numbers that add up to at most 1.")
        if self.promise not in ("last", "all"):
            raise MlcoreError(f"a promise is measured on the last part or on all, not on {self.promise!r}.")
        if not 0 <= self.required <= 1 or min(self.window, self.far) < 0 or self.folds < 2 or not self.detectors:
            raise MlcoreError("a model needs a detector, window >= 0, folds >= 2 and required between 0 and 1.")
        if self.family_trees < 1:
            raise MlcoreError("at least one tree tells which defect it is.")

    @property
    def windows(self) -> tuple[int, ...]:
        return (self.window, self.far) if self.far else (self.window,)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> SystemConfig:
        """What `as_json` wrote, also after a way through JSON. Raises MlcoreError for fields that are not known."""
        unknown = set(stored) - {column.name for column in fields(cls)}
        if unknown:
            raise MlcoreError(f"unknown settings of a system model: {', '.join(sorted(unknown))}.")
        detectors = tuple(
            DetectorConfig(**one) for one in stored.get("detectors", [asdict(one) for one in DEFAULT_DETECTORS])
        )
        return cls(**{**stored, "detectors": detectors})
