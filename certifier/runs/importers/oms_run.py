"""A run as OMS, the CMS run database, describes it: from its CSV export and from its JSON alike.

OMS gives integrated luminosity in inverse picobarn. That the files say so nowhere is made up for by their content:
run 297050 has a delivered_lumi of 106 in 18,444 s at an instantaneous luminosity of 5 to 6.9e33 /cm2/s, which is
0.0059 /pb per second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# OMS name -> name in REST.
FIELDS = {
    "fill_number": "fill",
    "start_time": "started_at",
    "end_time": "ended_at",
    "era": "period",
    "energy": "energy_gev",
    "last_lumisection_number": "lumisections",
}
# Sums over the run: without lumisections they cannot be columns, so they are attributes, in the units used here.
LUMINOSITIES = {"delivered_lumi": "delivered_inv_nb", "recorded_lumi": "recorded_inv_nb"}
RENAMED = {"duration": "duration_s", "stable_beam": "stable_beams"}
INV_NB_PER_INV_PB = 1000


def run_facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a run as in REST; what has no field of its own goes to the attributes. Unknowns are left out.

    Raises ValueError when a luminosity is no number.
    """
    facts: dict[str, Any] = {"run": row["run_number"]}
    attributes: dict[str, Any] = {}
    for name, value in row.items():
        if name == "run_number" or value is None:
            continue
        if name in FIELDS:
            facts[FIELDS[name]] = value
        elif name in LUMINOSITIES:
            attributes[LUMINOSITIES[name]] = in_inverse_nanobarn(value, name)
        else:
            attributes[RENAMED.get(name, name)] = value
    facts["attributes"] = attributes
    return facts


def in_inverse_nanobarn(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{name} {value!r} is no luminosity.")
    # Six decimals are what OMS gives; one of them is a picobarn less.
    return round(float(value) * INV_NB_PER_INV_PB, 6)
