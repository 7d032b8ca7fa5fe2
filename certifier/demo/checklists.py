"""What each system of the demo wants looked at before a stage is signed, and since when it asks.

Express is the first look, bulk the one with the constants of this very run, final the last word on a period.
"""

from __future__ import annotations

from typing import Final

from .world import SHOWCASE, at

# Before the first run of period L ended. Period K was signed without lists.
WRITTEN_AT: Final = at(13, 18, 0)
EXPRESS, BULK, FINAL = "express", "bulk", "final"

# By system: what its experts look at in the express stream, after the bulk reconstruction, and at the end of a period.
POINTS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]] = {
    "GLOBAL": (
        ("Start and end of ready-for-physics agree with the log of the shift",
         "Lumisections with a held-up read-out have their live fraction"),
        ("Magnets at their currents for the whole of the run", "Every stream has the number of events that was taken"),
        ("No system of the period is open", "The runs that nobody considers are named, with the reason"),
    ),
    "LUMI": (
        ("Online luminosity of two detectors agrees within 2%", "No lumisection of stable beams without a value"),
        ("Offline calibration of the fill is applied", "Pile-up follows from luminosity and bunches"),
        ("Scan fills are marked and left out of the calibration",),
    ),
    "PIXEL": (
        ("Modules that are off are those of the reference run, or are entered", "Occupancy per layer without holes",
         "No loss of synchronisation longer than 5 LS"),
        ("Track coverage of the innermost layer", "Charge per cluster against the reference run"),
        ("Defects of stand-by end where stable beams begin",),
    ),
    "SCT": (
        ("Total efficiency above 98.5%", "Noise occupancy below 5 in 100,000"),
        ("Links that were lost are entered with their lumisections", "Lorentz angle as in the run before"),
        ("Efficiency per layer is drawn over the whole period",),
    ),
    "TRT": (
        ("Gas: xenon fraction of the last analysis", "Occupancy per end-cap wheel"),
        ("Straw efficiency and residuals against the reference run", "Boards that were reset are entered"),
        ("The gas analyses of the period have all arrived",),
    ),
    "ID": (
        ("A beam spot was fitted for every ten minutes of stable beams", "Tracks per event follow the pile-up"),
        ("Alignment of this run, not of the one before", "Impact parameters are centred at zero"),
        ("Lumisections with an averaged beam spot are entered",),
    ),
    "LAR": (
        ("Noise bursts: what is left after the veto", "High-voltage trips are entered, with their ramp",
         "Boards with corrupted data: from one on entered, from two on intolerable"),
        ("Cell occupancy per layer against the reference run", "Bad channels of the calibration loop are uploaded",
         "Trips were corrected for, or stay entered"),
        ("Each intolerable defect has a word that says why", "The noise-burst list of the period is frozen"),
    ),
    "TILE": (
        ("Modules that are off are the known ones", "Timing jumps of the laser runs"),
        ("Energy per cell against the reference run", "Jumps are corrected, or entered from where to where"),
        ("LBA32 stays a known issue of the period",),
    ),
    "MDT": (
        ("Chambers in stand-by end where stable beams begin", "Hits per chamber without holes"),
        ("Segments on track per sector", "Drift-time spectra: no shifted start"),
        ("End-caps in stand-by were compared with the log",),
    ),
    "RPC": (
        ("High voltage by sector", "Trigger road rates follow the luminosity"),
        ("Efficiency per panel against the reference run", "Timing within one bunch crossing"),
        ("Gas gaps that were off all period are named",),
    ),
    "TGC": (
        ("Noise bursts below one per hour", "Trigger sectors without holes"),
        ("Efficiency of both stations", "Timing within one bunch crossing"),
        ("Chambers that were repaired are no longer entered",),
    ),
    "CSC": (
        ("All chambers read out", "Latency as set"),
        ("Charge per cluster against the reference run", "Dropped read-out links are entered"),
        ("Dead layers of the period are named",),
    ),
    "TRIG_L1": (
        ("Prescale keys of the log are those that were used", "Rates follow the luminosity, no spike above five sigma"),
        ("Noisy towers are masked in the simulation, too", "Dead-time by cause"),
        ("Every change of keys within a run is entered",),
    ),
    "TRIG_HLT": (
        ("Processing times without a tail", "Accepted rates by stream"),
        ("Crashed events were run again", "Turn-on curves against the reference run"),
        ("Menus of the period are archived",),
    ),
    "EGAMMA": (
        ("Electron and photon candidates without hot spots", "Z mass peak is there"),
        ("Energy over momentum against the reference run", "Spikes that went away are taken back"),
        ("Electrons per inverse picobarn are flat over the period",),
    ),
    "JET": (
        ("Jets in eta and phi without hot spots", "Cleaning removes less than 1%"),
        ("Response in dijets is balanced", "Low occupancy was compared with the calorimeters"),
        ("Jets per inverse picobarn are flat over the period",),
    ),
    "MET": (
        ("Tail of missing momentum without a lump", "Both components are centred at zero"),
        ("Resolution follows the total energy", "Lumisections of calorimeter defects explain the tail"),
        ("Defects of calorimeters and jets are signed before",),
    ),
    "TAU": (
        ("Candidates in eta and phi without hot spots",),
        ("Track multiplicity of candidates", "Spikes that went away are taken back"),
        ("Candidates per inverse picobarn are flat over the period",),
    ),
    "BTAG": (
        ("Impact parameters of tracks in jets", "Tagged fraction as in the reference run"),
        ("Secondary vertices against the reference run", "The beam spot of this run was used"),
        ("Tracking is signed for every run of the period",),
    ),
}  # fmt: skip
STAGES: Final = (EXPRESS, BULK, FINAL)

# What somebody left open, and why: (run, system, stage) -> (places, comment).
LEFT_OPEN: Final = {
    (SHOWCASE, "LAR", EXPRESS): ((1,), "The dip at 199 looks like a trip; the log of line 14 is not here yet"),
}


def ticked(run: int, system: str, stage: str) -> tuple[int, ...]:
    """The places of what was ticked."""
    left, _ = LEFT_OPEN.get((run, system, stage), ((), ""))
    points = POINTS[system][STAGES.index(stage)]
    return tuple(place for place in range(len(points)) if place not in left)
