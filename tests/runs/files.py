"""Small files of each format, and the import of them, for the tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from certifier.accounts.models import User
from certifier.runs.file_import import ImportOutcome, import_file
from certifier.runs.importers import Imported, read_file

BRILCALC = """#Data tag : v2 , Norm tag: None
#run:fill,ls,time,beamstatus,E(GeV),delivered(/ub),recorded(/ub),avgpu,source
306926:6404,3:3,11/21/17 17:07:12,STABLE BEAMS,6500,124778.531,81002.916,51.1,HFET
306926:6404,1:0,11/21/17 17:06:25,ADJUST,6499,125083.169,0.000,51.3,HFET
306926:6404,2:2,11/21/17 17:06:48,STABLE BEAMS,6500,125100.140,81054.075,51.3,PLTZERO
306930:6405,7:7,11/21/17 19:06:48,STABLE BEAMS,6500,10.000,9.000,0.1,HFET
#Summary:
#nfill,nrun,nls,ncms,totdelivered(/ub),totrecorded(/ub)
#2,2,4,3,374971.840,162065.991
#Check JSON:
#(run,ls) in json but not in results: [(306926, 4)]
"""
OMS = """run_number,fill_number,duration,start_time,end_time,delivered_lumi,recorded_lumi,hlt_key,stable_beam
297046,5839,3261,2017-06-16 19:16:42,2017-06-16 20:11:03,19.995273,16.998525,/cdaq/v1.1.1/V2,true
297047,5839,710,2017-06-16 20:15:06,2017-06-16 20:26:56,,,/cdaq/v1.1.1/V2,false
"""


def nothing(done: int, total: int, what: str) -> None:
    """A progress nobody looks at."""


def write(folder: Path, content: str | bytes | Any, name: str = "file") -> Path:
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def read(folder: Path, content: Any) -> Imported:
    return read_file(write(folder, content), nothing)


def bring(path: Path, actor: User | None = None, *, dry_run: bool = False) -> ImportOutcome:
    imported = read_file(path, nothing)
    return import_file(actor=actor, imported=imported, source=path.name, progress=nothing, dry_run=dry_run)
