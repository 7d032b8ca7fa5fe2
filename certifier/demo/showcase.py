"""Run 350479 as the users of the ATLAS defect entry page know it: its ten defects and their lumisections."""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """One record. `minutes` after the end of the run."""

    defect: str
    lumisections: str
    recoverable: bool
    by: str
    minutes: int
    comment: str
    present: bool = True


NOISE_A = (
    "69 75 78 118 123 142 150 154 161 165-166 169-171 176 206 224 227 250 263 265 280 283 298 305 310 328 352 357 366 "
    "371 375 376 380-381 383 390 394 400-401 404 426 440-442 445 460-461 468 469 481 516 534 549 592 599 611 634 639 "
    "643 646 651 661 670 712-713"
)
NOISE_C = (
    "125 140 165 167 173 180 190 203 211-212 215 218 221 228 235 257 261 277 296-297 299 324 344 352 379 403 405 408 "
    "416 431 441 445 468 488 518 551 599 607 633-634 659 710"
)

ENTRIES = (
    Known("GLOBAL_BUSY", "1-7 12-16 49 456 501 547 608 613 658", False, "sys:calculator", 31,
          "Average live fraction 58.2%"),
    Known("GLOBAL_NOTREADY", "1-64 718-719", False, "sys:calculator", 31, "ReadyForPhysics not set"),
    Known("ID_BS_RUNAVERAGE", "1-64 718-719", False, "sys:beamspot", 38, "No beam spot fit here, run average used"),
    Known("EGAMMA_ETAPHI_SPIKES", "1-719", False, "sys:hancool", 47, "assign EGAMMA_ETAPHI_SPIKES"),
    Known("ID_IBL_TRACKCOVERAGE", "1-719", False, "sys:hancool", 47, "Three modules of stave 14 off, known issue"),
    Known("JET_LOWOCCUPANCY", "1-719", False, "sys:hancool", 47, "assign JET_LOWOCCUPANCY"),
    Known("LAR_DATACORRUPT", "117 133 199 717", False, "sys:hancool", 47, "Checksum errors in 2 boards"),
    Known("TAU_CR_ETAPHI_SPIKES", "1-719", False, "sys:hancool", 47, "assign TAU_CR_ETAPHI_SPIKES"),
    Known("LAR_EMECA_NOISEBURST", NOISE_A, True, "ada", 56, "Between 1 and 1000 events flagged, cleaned by time veto"),
    Known("LAR_EMECC_NOISEBURST", NOISE_C, True, "ada", 56, "Between 1 and 1000 events flagged, cleaned by time veto"),
    Known("LAR_EMBA_HVTRIP", "199-203", True, "ada", 56, "Looks like a trip of line 14 around 199"),
    Known("LAR_EMBA_DATACORRUPT", "117-133", False, "ada", 61, "FEB data corrupted, half barrel A"),
    Known("LAR_DATACORRUPT", "118-132", False, "ada", 61,
          "Two front-end boards of half barrel A, see the elog of the shift"),
    Known("TAU_CR_ETAPHI_SPIKES", "1-719", False, "lea", 2_130, "Within the usual fluctuation, removed", present=False),
    Known("LAR_EMBA_HVTRIP", "199-203", True, "ada", 2_310,
          "No trip in the high-voltage log; the dip is data corruption at 199", present=False),
    Known("LAR_EMBA_DATACORRUPT", "117 133", False, "ada", 2_310,
          "Only a few events at the edges, LAR_DATACORRUPT covers them", present=False),
)  # fmt: skip
