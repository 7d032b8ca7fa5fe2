"""The book in which the lumisections of runs are charged, each to one account, and what each account adds up to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from certifier.accounts.models import System
from certifier.runs.profile import Profile

from .loss_table import NOT_SIGNED, Account, Charge, is_defect
from .luminosity import NOTHING, Luminosity
from .sums import DELIVERED, ONE, RECORDED, WITH_DELIVERED, WITH_RECORDED, Array, masks, quantities

# So many lumisections are added up in one go: a sum for each run would mostly be the cost of beginning it.
AT_ONCE = 50_000
# The first two columns of the book: what lies outside of what is counted, and what is in the list.
ELSEWHERE: Account = ("", "")
GOOD: Account = ("", "in the list")


class Order(dict[Account, tuple[int, str, bool, str]]):
    """The place of an account among all: systems in their order, then defects by name ignoring case, signatures
    last.
    """

    def __init__(self, systems: Iterable[System]) -> None:
        super().__init__()
        self._systems = {system.code: place for place, system in enumerate(systems)}

    def __missing__(self, account: Account) -> tuple[int, str, bool, str]:
        system, defect = account
        name = f"{defect.removeprefix('!').lower()} {defect}"
        place = (self._systems.get(system, len(self._systems)), system, defect == NOT_SIGNED, name)
        self[account] = place
        return place


class Book:
    """The sums that grow run by run. A year has some hundred accounts in each of its runs, so they are kept in arrays:
    `_sums[0]` of what was charged, `_sums[1]` of what of it is recoverable, a row per quantity, a column per account.
    """

    def __init__(self) -> None:
        self._columns: dict[Account, int] = {ELSEWHERE: 0, GOOD: 1}
        self._sums = np.zeros((2, 5, 64))
        self._waiting: list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Array]] = []
        self._count = 0

    def enter(
        self, good: int, charged: Sequence[tuple[Account, int]], final: int, last: int, profile: Profile | None
    ) -> None:
        """Enter a run of `last` lumisections: which are in the list and counted, and which are charged to what (bitsets
        that do not overlap); `final` are the irrecoverable ones.
        """
        if not last:
            return
        columns = self._columns
        numbers = [columns.setdefault(account, len(columns)) for account, _ in charged]
        rows = masks([final, good, *(bits for _, bits in charged)], last)
        irreparable = rows[0]
        # The sets do not overlap: the sum of the columns, each where its set is, is the column of each lumisection.
        owners = (np.array([columns[GOOD], *numbers], dtype=np.float32) @ rows[1:].astype(np.float32)).astype(np.intp)
        self._waiting.append((owners, owners * (irreparable ^ 1), quantities(profile, last)))
        self._count += last
        if self._count >= AT_ONCE:
            self._add_up()

    def _add_up(self) -> None:
        if not self._waiting:
            return
        while len(self._columns) > self._sums.shape[2]:
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)], axis=2)
        *parts, values = (np.concatenate(each, axis=-1) for each in zip(*self._waiting, strict=True))
        ones = [bool(row.all()) for row in values[[ONE, WITH_DELIVERED, WITH_RECORDED]]]
        for part, of in enumerate(parts):
            count = np.bincount(of, minlength=self._sums.shape[2])
            for row in (DELIVERED, RECORDED):
                self._sums[part, row] += np.bincount(of, values[row], len(count))
            for row, all_known in zip((ONE, WITH_DELIVERED, WITH_RECORDED), ones, strict=True):
                # Nearly always everything is known, and known is what was counted.
                self._sums[part, row] += count if all_known else np.bincount(of, values[row], len(count))
        self._waiting, self._count = [], 0

    @property
    def good(self) -> Luminosity:
        """What is in the list."""
        self._add_up()
        return self._luminosity(0, GOOD)

    def charges(self, order: Order) -> tuple[Charge, ...]:
        """What was charged, in the order in which it is charged; what belongs to no system last."""
        self._add_up()
        accounts = [account for account in self._columns if account not in (ELSEWHERE, GOOD)]
        accounts.sort(key=lambda account: (not account[0], order[account]))
        return tuple(
            Charge(
                *account, self._luminosity(0, account), self._luminosity(1, account) if is_defect(account) else NOTHING
            )
            for account in accounts
        )

    def _luminosity(self, part: int, account: Account) -> Luminosity:
        count, delivered, recorded, with_delivered, with_recorded = self._sums[part, :, self._columns[account]].tolist()
        return Luminosity(
            int(count),
            delivered if with_delivered else None,
            recorded if with_recorded else None,
            int(with_delivered),
            int(with_recorded),
        )
