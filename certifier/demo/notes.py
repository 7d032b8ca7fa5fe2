"""What shifts of the demo left to the next ones in its last weeks: about what did happen there."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from .world import at


class Note(NamedTuple):
    at: datetime
    by: str
    text: str


def june(day: int, hour: int, minute: int) -> datetime:
    return at(day, hour, minute, month=6)


WRITTEN: Final = (
    Note(at(15, 9, 55), "ben",
         "350479 ended at 08:44, a planned dump. LAR: corrupted data from two boards of half barrel A, LS 117-133; Ada "
         "has entered them and called the read-out expert.\nJET, MET, TAU and BTAG have not looked yet."),
    Note(at(15, 22, 40), "ben",
         "350549 was started in a hurry: the prescale key of LS 40-55 may not be the one in the log. Jon will look."),
    Note(at(16, 7, 10), "oli",
         "The luminosity of 350558 came an hour late and is complete now. No need to wait for it."),
    Note(at(18, 23, 15), "ben",
         "Scan in fill 6700, three runs. LUMI keeps them out of the calibration; to everybody else they are runs like "
         "any other."),
    Note(at(21, 16, 0), "chi",
         "Period K closes on the 25th at 09:00. What is not signed bulk by the evening of the 24th we ask about at the "
         "meeting."),
    Note(at(23, 16, 30), "ben",
         "First fill of period M: 978 bunches, four runs. TRT: by the gas analysis of this morning more of 350193 is "
         "bad than we had; Fay has reopened it."),
    Note(at(24, 11, 45), "fay", "350193 is recorded to its end and signed again; LS 1-65 are fine."),
    Note(at(28, 23, 30), "ben",
         "351364: 1225 bunches, levelled, rates as expected. Some systems have nobody for express tonight; please look "
         "at PIXEL, TGC and MET first."),
    Note(at(30, 10, 20), "ada",
         "LAR bulk of 350479 is open again: the two boards are read out anew in the reprocessing. Please do not sign "
         "it before I have looked at 117-133."),
    Note(june(2, 15, 50), "ben",
         "Fill 6749, 1551 bunches, the longest yet. 351832 runs smoothly. What the models of PIXEL and LAR ask about "
         "is in the review queue."),
    Note(june(2, 21, 40), "ben",
         "351866 ran for an hour and its lumisections have not arrived, so there is nothing to sign; ask the registry "
         "tomorrow.\n351894 goes on since 21:31."),
)  # fmt: skip
