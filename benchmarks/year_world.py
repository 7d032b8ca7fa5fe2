"""The five systems of the year-loop: two histograms of 24 bins each, two or three families of defects.

Two of the families come only from week 13 on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from certifier.demo.season import Detector, Effect, Family, Season, Silent
from mlcore.histograms import Axis
from mlcore.simulate.faults import Flickering, LongTail
from mlcore.simulate.shape_faults import (
    ChargeScaleStep,
    DuplicatedEvents,
    GainShift,
    Spike,
    TimingJump,
    TruncatedHistogram,
)
from mlcore.simulate.shapes import ClusterCharge, Timing, TrackChi2, VertexZ

BINS: Final = 24
MONDAY: Final = datetime(2026, 1, 5, tzinfo=UTC)
UNSEEN_UNTIL: Final = 12


def of(fault: Any, **parameters: Any) -> Effect:
    return lambda axis, strength, rng: fault(axis=axis, strength=strength, **parameters)


def charge(element: str, **more: Any) -> ClusterCharge:
    axis = Axis.regular("charge", BINS, 0.0, 80_000.0, unit="e")
    return ClusterCharge(element=element, axis=axis, per_event=8.0, lifetime=2_000.0, **more)


def time(element: str, resolution: float = 1.5) -> Timing:
    axis = Axis.regular("time", BINS, -10.0, 10.0, unit="ns")
    return Timing(element=element, axis=axis, resolution=resolution)


def chi2(element: str) -> TrackChi2:
    return TrackChi2(element=element, axis=Axis.regular("chi2/ndof", BINS, 0.0, 6.0))


def detectors(unseen_from: int = UNSEEN_UNTIL) -> list[Detector]:
    z = VertexZ(element="Tracker/vertexZ", axis=Axis.regular("z", BINS, -250.0, 250.0, unit="mm"))
    return [
        Detector(
            "ECAL", "Electromagnetic calorimeter", [charge("Ecal/amplitude"), time("Ecal/time")],
            [
                Family("ECAL_HVTRIP", {"Ecal/amplitude": of(GainShift, size=-0.5, share=0.4)}),
                Family(
                    "ECAL_NOISEBURST",
                    {"Ecal/amplitude": of(Flickering, share=0.5), "Ecal/time": of(LongTail, share=0.2)},
                    longest=8,
                ),
                Family("ECAL_TIMING", {"Ecal/time": of(TimingJump, size=2.0)}),
            ],
        ),
        Detector(
            "HCAL", "Hadronic calorimeter", [charge("Hcal/amplitude"), time("Hcal/time", 2.0)],
            [
                Family("HCAL_TIMING", {"Hcal/time": of(TimingJump, size=3.0)}),
                Family("HCAL_MODULE_OFF", {"Hcal/amplitude": of(TruncatedHistogram, fraction=0.4)}),
                Family("HCAL_RBX_NOISE", {"Hcal/time": of(LongTail, share=0.5)}, first_week=unseen_from),
            ],
        ),
        Detector(
            "PIXEL", "Pixel detector", [charge("Pixel/charge"), chi2("Pixel/residualChi2")],
            [
                Family("PIXEL_BARREL_DISABLED", {"Pixel/charge": of(GainShift, size=-0.5, share=0.4)}),
                Family(
                    "PIXEL_DESYNC",
                    {"Pixel/charge": of(DuplicatedEvents, distinct=200), "Pixel/residualChi2": of(LongTail, share=0.6)},
                    longest=12,
                ),
            ],
        ),
        Detector(
            "TRACKER", "Strip tracker", [charge("Tracker/charge"), z],
            [
                Family("TRACKER_HV", {"Tracker/charge": of(ChargeScaleStep, size=0.2)}),
                Family("TRACKER_BS_SHIFT", {"Tracker/vertexZ": of(TimingJump, size=45.0)}),
                Family(
                    "TRACKER_ROD_BUSY",
                    {"Tracker/charge": of(TruncatedHistogram, fraction=0.35)},
                    first_week=unseen_from,
                ),
            ],
        ),
        Detector(
            "MUON", "Muon spectrometer", [time("Muon/time", 2.5), chi2("Muon/chi2")],
            [
                Family("MUON_RPC_STANDBY", {"Muon/time": of(LongTail, share=0.4)}),
                Family("MUON_SECTOR_OFF", {"Muon/chi2": of(GainShift, size=0.5, share=0.5)}),
                Family("MUON_SPARK", {"Muon/time": of(Spike, bin=6, share=0.08)}, longest=6),
            ],
        ),
    ]  # fmt: skip


def season(*, seed: int, systems: int, weeks: int, runs: int, length: float, silent_week: int) -> Season:
    return Season(
        detectors(min(UNSEEN_UNTIL, 2 * weeks // 3))[:systems],
        MONDAY,
        weeks=weeks,
        count=runs,
        length=length,
        seed=seed,
        silent=[Silent("PIXEL", silent_week, "PIXEL_CALIBRATION_WRONG")],
    )
