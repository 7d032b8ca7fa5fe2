"""What a system's champion expects of an element in a run, beside its verdicts: a card of the element's page.

The numbers are those that a worker has worked out (`certifier.precert.looks`): whoever looks asks for them, and they
stay until other histograms come or another model is champion.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from certifier.accounts.models import User
from certifier.lumi import LumiSet
from certifier.monitoring.models import Element
from certifier.precert import looks, services
from certifier.precert.hiding import Hidden, hidden_from
from certifier.precert.looks import ERRORS, FORECAST, READINGS, Asked
from certifier.precert.models import ModelVersion
from certifier.precert.selectors import champion_of

from . import figures_champion as figures
from .looking import Looking

TITLES: Final = {
    FORECAST: "Forecast of the champion",
    READINGS: "Forecast of the readings",
    ERRORS: "What the autoencoder does not rebuild",
}
EVERY_S: Final = 2


class ChampionLook:
    """`hidden` says why there is nothing to see for whoever holds an item of this run and system without its verdict:
    what lies outside a forecast is a verdict in other words."""

    def __init__(
        self, looking: Looking, element: Element, version: ModelVersion, what: str, hidden: Hidden | None
    ) -> None:
        self.looking = looking
        self.element = element
        self.version = version
        self.what = what
        self.hidden = hidden
        self.every = EVERY_S

    @classmethod
    def of(cls, looking: Looking, element: Element, viewer: Any) -> ChampionLook | None:
        """For this person. None where there is no champion that knows more of this element than a score."""
        if looking.dataset is None or element.system is None or element.path not in looking.by_path:
            return None
        champion = champion_of(element.system)
        what = looks.what_of(champion, element) if champion is not None else ""
        if champion is None or not what:
            return None
        hidden = hidden_from(viewer, [looking.run.pk]).get((looking.run.pk, element.system.pk))
        return cls(looking, element, champion, what, hidden)

    @property
    def title(self) -> str:
        return TITLES[self.what]

    @property
    def lumisections(self) -> LumiSet:
        """Of which readings are wanted; whatever else there is, is of the whole run."""
        return self.looking.selected if self.what == READINGS else LumiSet()

    @cached_property
    def asked(self) -> Asked:
        assert self.looking.dataset is not None
        key = looks.key_of(self.version, self.looking.dataset, self.element, str(self.lumisections))
        return looks.asked(looks.LOOK, key)

    def ask(self, actor: User) -> None:
        assert self.looking.dataset is not None
        services.ask_to_look(
            actor=actor,
            version=self.version,
            dataset=self.looking.dataset,
            element=self.element,
            lumisections=self.lumisections,
        )

    @property
    def outside(self) -> LumiSet:
        """Where the quantity lies outside its forecast."""
        result = self.asked.result
        return LumiSet.parse(result["outside"]) if result and self.what == FORECAST else LumiSet()

    @property
    def spikes(self) -> list[dict[str, Any]]:
        result = self.asked.result
        return list(result["spikes"]) if result and self.what == ERRORS else []

    @property
    def figure(self) -> dict[str, Any] | None:
        """For Plotly; None as long as nothing was worked out."""
        result = self.asked.result
        if result is None:
            return None
        if self.what == FORECAST:
            return figures.forecast(self.element, result, self.looking.selected)
        return figures.readings(self.element, result) if self.what == READINGS else figures.errors(result)

    @property
    def along(self) -> dict[str, Any] | None:
        """Of readings, the share outside along the run."""
        result = self.asked.result
        return figures.share(result) if result is not None and self.what == READINGS else None
