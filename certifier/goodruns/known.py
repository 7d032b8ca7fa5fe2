"""What is known today of a list: its luminosity and its tables, as noted where that still holds, else reckoned.

A list never changes; what is known of its runs does. Whoever shows several of these asks one `Known` for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from certifier.lumi import RunLumiMap

from .accounting import Case, case_of, loss_in
from .building import LeftOut
from .contents import content_of
from .efficiency import Efficiency, efficiency_in
from .facts import Facts
from .loss_table import LossTable
from .luminosity import Luminosity, luminosity_of
from .models import GoodRunList, ListLoss, ListLuminosity
from .noted_losses import order_of, table_holds, touched_since
from .selectors import noted_luminosity


def loss_known(list_: GoodRunList, flags: Sequence[str] = ()) -> LossTable:
    """The loss table of a list, over lumisections where all `flags` held."""
    return Known(list_, flags).tables[0]


def luminosity_known(list_: GoodRunList) -> Luminosity:
    """The luminosity of a list."""
    return Known(list_).luminosity


class Known:
    """Each part is read once, when it is asked for."""

    def __init__(self, list_: GoodRunList, flags: Sequence[str] = (), facts: Facts | None = None) -> None:
        self.list = list_
        self.flags = tuple(flags)
        self.facts = facts or Facts()

    @cached_property
    def content(self) -> RunLumiMap:
        return content_of(self.list)

    @property
    def content_if_read(self) -> RunLumiMap | None:
        return self.__dict__.get("content")

    @cached_property
    def tables(self) -> tuple[LossTable, Efficiency]:
        """The loss and efficiency tables."""
        noted = None if self.flags else self._noted_loss
        if noted is not None and self._holds(noted):
            left_out = tuple(LeftOut.from_json(each) for each in self.list.provenance["left_out"])
            table = LossTable.from_json(noted.table, left_out)
            return table, Efficiency.from_json(noted.efficiency or {}, self.facts.systems)
        return loss_in(self.case, self.flags), efficiency_in(self.case, self.flags)

    @cached_property
    def case(self) -> Case:
        """The list and what is behind its losses, from the database."""
        return case_of(self.list, content=self.content, facts=self.facts)

    @cached_property
    def luminosity(self) -> Luminosity:
        noted, row = noted_luminosity(self.list), self._noted_luminosity
        if "case" not in self.__dict__ and noted is not None and row is not None:
            touched = self._since(row.sequence)
            if not touched or not touched & set(self.content):
                return noted
        return luminosity_of(self.content, self.facts.profiles(list(self.content)))

    # -- what was noted ----------------------------------------------------------------------------------

    @property
    def _noted_luminosity(self) -> ListLuminosity | None:
        return getattr(self.list, "luminosity", None)

    @property
    def _noted_loss(self) -> ListLoss | None:
        return getattr(self.list, "loss", None)

    def _holds(self, noted: ListLoss) -> bool:
        """Whether nothing has changed that the table depends on."""
        if not table_holds(noted, order_of(self.facts.systems)):
            return False
        touched = self._since(noted.sequence)
        if not touched:
            return True
        stopped = {each["run"] for each in self.list.provenance["left_out"]}
        return not touched & stopped and not touched & set(self.content)

    def _since(self, sequence: int) -> set[int]:
        """Runs that were written after this change."""
        return {run for run, newest in self._touched.items() if newest > sequence}

    @cached_property
    def _touched(self) -> Mapping[int, int]:
        """Since the earlier of what was noted, in one query for both."""
        notes = [each.sequence for each in (self._noted_loss, self._noted_luminosity) if each is not None]
        return touched_since(min(notes, default=0))
