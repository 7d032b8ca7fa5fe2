"""Luminosity tables of brilcalc: units, order, paths, footers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import LumiSet
from certifier.runs.importers import FileRefused
from certifier.runs.importers.cells import INVERSE_UNITS, number
from certifier.runs.models import Lumisection, Run
from certifier.runs.selectors import flags_of
from tests.runs.files import BRILCALC, bring, read, write

PATHS = """#Data tag : online , Norm tag: None
#run:fill,ls,time,hltpath,delivered(/fb),recorded(/fb),avgpu,source
1:9,1:1,03/08/26 16:30:01,HLT_A_v1,0.000015352,0.000013207,59.6,HFET
1:9,1:1,03/08/26 16:30:01,HLT_B_v1,0.000007676,0.000006603,59.6,HFET
1:9,2:2,03/08/26 16:30:24,HLT_B_v1,0.000007676,0.000006603,59.6,HFET
"""
BY_RUN = """#Data tag : 19v1 , Norm tag: None
#run:fill,time,ncms,hltpath,delivered(/ub),recorded(/ub)
315257:6615,04/26/18 21:09:40,90,HLT_PFJet140_v17,1858.422,1775.144
315257:6615,04/26/18 21:09:40,90,HLT_PFJet500_v17,2858.422,2775.144
#Summary:
#hltpath,nfill,nrun,ncms,totdelivered(/ub),totrecorded(/ub)
#HLT_PFJet140_v17,1,1,90,1858.422,1775.144
#HLT_PFJet500_v17,1,1,90,2858.422,2775.144
"""


@pytest.mark.django_db
def test_it_imports_lumisections(tmp_path: Path) -> None:
    bring(write(tmp_path, BRILCALC))
    run = Run.objects.get(number=306926)
    assert (run.fill, run.last_lumisection, run.energy_gev) == (6404, 3, 6500)
    assert run.attributes == {
        "luminosity": {"tool": "brilcalc", "data_tag": "v2", "luminometers": {"HFET": "1 3", "PLTZERO": "2"}}
    }
    rows = Lumisection.objects.filter(run=run).order_by("number")
    assert [(row.delivered_inv_nb, row.recorded_inv_nb, row.pileup) for row in rows] == [
        (125.083169, 0, 51.3),
        (125.10014, 81.054075, 51.3),
        (124.778531, 81.002916, 51.1),
    ]
    assert rows[0].started_at == datetime(2017, 11, 21, 17, 6, 25, tzinfo=UTC)
    assert rows[0].duration_s is None
    assert flags_of(run) == {"stable_beams": LumiSet.parse("2-3")}


@pytest.mark.django_db
def test_it_leaves_lumisections_that_a_file_does_not_have(tmp_path: Path) -> None:
    bring(write(tmp_path, BRILCALC))
    header, rows = BRILCALC.splitlines()[:2], BRILCALC.splitlines()
    excerpt = [*header, rows[4].replace("STABLE BEAMS", "SQUEEZE"), rows[2].replace("51.1", "52.5"), ""]
    bring(write(tmp_path, "\n".join(excerpt)))
    run = Run.objects.get(number=306926)
    rows_now = Lumisection.objects.filter(run=run).order_by("number").values_list("pileup", flat=True)
    assert list(rows_now) == [51.3, 51.3, 52.5]
    assert flags_of(run) == {"stable_beams": LumiSet.parse("3")}


def test_it_takes_of_several_paths_the_one_with_most_luminosity(tmp_path: Path) -> None:
    imported = read(tmp_path, PATHS)
    (lumisections,) = imported.lumisections
    assert lumisections.columns["delivered_inv_nb"].tolist() == [15.352, 7.676]
    assert imported.runs[0]["attributes"]["luminosity"]["hlt_paths"] == ["HLT_A_v1", "HLT_B_v1"]
    assert "several HLT paths: of each lumisection the one with the most luminosity was taken" in imported.notes
    assert not lumisections.flags


def test_it_keeps_a_table_by_run_and_path_as_attributes(tmp_path: Path) -> None:
    imported = read(tmp_path, BY_RUN)
    assert not imported.lumisections
    (run,) = imported.runs
    paths = run["attributes"]["luminosity"]["by_hlt_path"]
    assert paths["HLT_PFJet140_v17"] == {"delivered_inv_nb": 1.858422, "recorded_inv_nb": 1.775144, "ncms": 90}
    assert len(paths) == 2


@pytest.mark.parametrize(("unit", "factor"), [("/b", 1e-9), ("/ub", 1e-3), ("/nb", 1), ("/pb", 1e3), ("/fb", 1e6)])
def test_it_converts_units(tmp_path: Path, unit: str, factor: float) -> None:
    table = f"#run:fill,ls,delivered({unit}),recorded({unit})\n1:9,1:1,12.5,2.5\n"
    (lumisections,) = read(tmp_path, table).lumisections
    assert lumisections.columns["delivered_inv_nb"].tolist() == pytest.approx([12.5 * factor], rel=1e-15)


@given(st.floats(0, 1e12), st.sampled_from(sorted(INVERSE_UNITS.values())))
def test_it_scales_numbers_without_rounding(value: float, power: int) -> None:
    assert number(repr(value), "x", power) == pytest.approx(value * 10.0**power, rel=1e-15)
    assert number(repr(value), "x") == value


def test_it_leaves_out_repeated_rows(tmp_path: Path) -> None:
    lines = BRILCALC.splitlines()
    imported = read(tmp_path, "\n".join([*lines[:6], lines[3], *lines[6:], ""]))
    assert imported.notes == ["1 repeated rows were left out"]
    assert [item.count for item in imported.lumisections] == [3, 1]


def test_it_says_when_there_is_no_footer_to_check_against(tmp_path: Path) -> None:
    imported = read(tmp_path, "\n".join(BRILCALC.splitlines()[:6]) + "\n")
    assert imported.notes == ["has no #Summary, so whether it is complete could not be checked"]


ROW = "306926:6404,2:2,11/21/17 17:06:48,STABLE BEAMS,6500,125100.140,81054.075,51.3,PLTZERO"
REFUSED = [
    (BRILCALC.replace(ROW + "\n", ""), "line 8: the summary says nls 4, the rows have 3; some are missing."),
    (
        BRILCALC.replace("125100.140", "125100.150"),
        "line 9: the summary says 374971.840 /ub delivered, the rows add up",
    ),
    (BRILCALC.replace("125100.140", "x"), "line 5: delivered “x” is not a number."),
    (BRILCALC.replace("125100.140", "-1"), "line 5: delivered -1 is negative"),
    (BRILCALC.replace("125100.140", "nan"), "line 5: delivered “nan” is not a number."),
    (BRILCALC.replace("125100.140", "1e400"), "line 5: delivered 1e400 is negative or too large."),
    (BRILCALC.replace(",51.3,PLTZERO", ""), "line 5: 7 cells where the header has 9; part of the line is missing."),
    (BRILCALC.replace("51.3,PLTZERO", "?,PLTZERO"), "line 5: avgpu “?” is not a number."),
    (BRILCALC.replace("2:2,", "0:0,"), "line 5: lumisection 0 is not from 1 to 100000."),
    (BRILCALC.replace("2:2,", "1000000000:2,"), "line 5: lumisection 1000000000 is not from 1"),
    (BRILCALC.replace("2:2,", "two,"), "line 5: lumisection “two” is not a whole number."),
    (BRILCALC.replace("306930:6405", "99999999999:6405"), "line 6: run 99999999999 is not from 1"),
    (BRILCALC.replace("306930:6405", "306930"), "line 6: fill “” is not a whole number."),
    (BRILCALC.replace("11/21/17 17:06:48", "2017-11-21"), "line 5: “2017-11-21” is not a time"),
    (BRILCALC.replace(ROW, ROW + "\n" + ROW.replace("51.3", "9")), "line 6: this row contradicts line 5"),
    (BRILCALC.replace(ROW, ROW.replace("6404", "6405")), "line 5: run 306926 belongs to fill 6404 in earlier rows"),
    (BRILCALC.replace("(/ub)", "(hz/ub)"), "line 2: the unit (hz/ub) is none of integrated luminosity"),
    (BRILCALC.replace("recorded(/ub),avgpu", "recorded(/pb),avgpu"), "line 2: the unit"),
    (BRILCALC.replace("recorded(/ub),avgpu", "rec(/ub),avgpu"), "line 2: the header has no column recorded."),
    (BRILCALC + "1:1,1:1,11/21/17 17:06:48,STABLE BEAMS,6500,1,1,1,X\n", "line 12: there is data behind the summary."),
    ("1:1,2:2,x\n" + BRILCALC, "line 1: there is data before the header line"),
    ("#run:fill,ls,delivered(/ub),recorded(/ub)\n", "there are no rows of luminosity in it."),
    ("\n".join(BRILCALC.splitlines()[:5])[:-20], "line 5: 7 cells"),
    ("\n".join(BRILCALC.splitlines()[:5])[:-3], "line 5: the file ends in the middle of a line"),
    (
        BY_RUN.replace("#HLT_PFJet500_v17,1,1,90", "#HLT_PFJet501_v17,1,1,90"),
        "the summary has HLT_PFJet501_v17, but no row",
    ),
    (BY_RUN.replace(",90,HLT_PFJet500", ",91,HLT_PFJet500"), "line 8: the summary says ncms 90 of HLT_PFJet500_v17"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_it_names_line_and_reason(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FileRefused) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
