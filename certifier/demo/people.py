"""Who works on the demo's detector. All can log in with the same password; the robots cannot."""

from __future__ import annotations

from typing import NamedTuple

PASSWORD = "certifier"  # noqa: S105  # of invented people, and printed by the command


class Person(NamedTuple):
    username: str
    first_name: str
    last_name: str
    role: str
    systems: tuple[str, ...] = ()

    @property
    def does(self) -> str:
        """For the list of accounts."""
        if self.systems:
            return f"expert of {', '.join(self.systems)}"
        return self.role or "no role, may read nothing"


PEOPLE = (
    Person("ada", "Ada", "Lund", "expert", ("LAR",)),
    Person("ben", "Ben", "Okoro", "shifter"),
    Person("chi", "Chi", "Tanaka", "coordinator"),
    Person("dee", "Dee", "Marsh", ""),
    Person("ova", "Ova", "Reyes", "admin"),
    Person("oli", "Oli", "Brandt", "expert", ("GLOBAL", "LUMI")),
    Person("eli", "Eli", "Novak", "expert", ("PIXEL", "SCT")),
    Person("fay", "Fay", "Duarte", "expert", ("TRT", "ID")),
    Person("gus", "Gus", "Haddad", "expert", ("TILE",)),
    Person("hal", "Hal", "Petrov", "expert", ("MDT", "RPC")),
    Person("ivy", "Ivy", "Mensah", "expert", ("TGC", "CSC")),
    Person("jon", "Jon", "Keller", "expert", ("TRIG_L1",)),
    Person("kim", "Kim", "Sato", "expert", ("TRIG_HLT",)),
    Person("lea", "Lea", "Moreau", "expert", ("EGAMMA", "TAU")),
    Person("max", "Max", "Ferri", "expert", ("JET", "MET")),
    Person("nia", "Nia", "Osei", "expert", ("BTAG",)),
)
ROBOTS = ("sys:calculator", "sys:hancool", "sys:beamspot")

EXPERT_OF = {system: person.username for person in PEOPLE for system in person.systems}
SHIFTER = "ben"
COORDINATOR = "chi"
