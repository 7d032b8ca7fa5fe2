"""What can be wrong with the demo's detector: systems, primary defects with their habits, virtual defects.

Names follow the conventions of ATLAS; the sentences are our own.
"""

from __future__ import annotations

from typing import NamedTuple


class SystemPlan(NamedTuple):
    code: str
    name: str
    family: str


class Primary(NamedTuple):
    """A primary defect and how it usually shows: `shape` is a function of `history`, `per_run` the mean number
    of records.

    `by` is a robot's name or "expert". Comments are chosen at random; {n}, {sector} and {percent} are filled in.
    """

    name: str
    description: str
    intolerable: bool
    shape: str
    per_run: float
    by: str
    comments: tuple[str, ...]
    recoverable: float = 0.0

    @property
    def system(self) -> str:
        return max((s.code for s in SYSTEMS if self.name.startswith(s.code + "_")), key=len)


class Virtual(NamedTuple):
    name: str
    system: str
    description: str
    expression: str


SYSTEMS = (
    SystemPlan("GLOBAL", "Whole experiment", "Trigger & Lumi"),
    SystemPlan("LUMI", "Luminosity", "Trigger & Lumi"),
    SystemPlan("PIXEL", "Pixel detector", "Tracking"),
    SystemPlan("SCT", "Semiconductor tracker", "Tracking"),
    SystemPlan("TRT", "Transition-radiation tracker", "Tracking"),
    SystemPlan("ID", "Inner detector as a whole", "Tracking"),
    SystemPlan("LAR", "Liquid-argon calorimeter", "Calorimeter"),
    SystemPlan("TILE", "Tile calorimeter", "Calorimeter"),
    SystemPlan("MDT", "Monitored drift tubes", "Muon"),
    SystemPlan("RPC", "Resistive-plate chambers", "Muon"),
    SystemPlan("TGC", "Thin-gap chambers", "Muon"),
    SystemPlan("CSC", "Cathode-strip chambers", "Muon"),
    SystemPlan("TRIG_L1", "Level-1 trigger", "Trigger & Lumi"),
    SystemPlan("TRIG_HLT", "High-level trigger", "Trigger & Lumi"),
    SystemPlan("EGAMMA", "Electrons and photons", "Objects"),
    SystemPlan("JET", "Jets", "Objects"),
    SystemPlan("MET", "Missing transverse momentum", "Objects"),
    SystemPlan("TAU", "Hadronic tau decays", "Objects"),
    SystemPlan("BTAG", "Flavour tagging", "Objects"),
)

CALCULATOR, HANCOOL, EXPERT = "sys:calculator", "sys:hancool", "expert"

PRIMARIES = (
    Primary("GLOBAL_NOTREADY",
            "The experiment was not ready for physics: beams not stable, or high voltage still going up.",
            True, "not_ready", 1.0, CALCULATOR, ("ReadyForPhysics not set",)),
    Primary("GLOBAL_BUSY", "The read-out was held up for part of the lumisection; its live fraction is corrected for.",
            False, "busy", 1.0, CALCULATOR, ("Average live fraction {percent}%",)),
    Primary("GLOBAL_BUSY_GREATER50PCT", "The read-out was held up for more than half of the lumisection.",
            True, "short", 0.22, CALCULATOR,
            ("Average live fraction {n}%", "Busy from the muon read-out, live fraction {n}%")),
    Primary("GLOBAL_NOTCONSIDERED",
            "Data that no analysis considers, for example a run started only to test the read-out.",
            True, "never", 0.0, EXPERT, ("Run of 40 lumisections for a read-out test, not for physics",)),
    Primary("GLOBAL_TOROID_OFF",
            "The toroid magnets were off or ramping: muon momenta are not measured in the spectrometer.",
            True, "never", 0.0, CALCULATOR, ("Toroid current below 20,000 A",)),
    Primary("GLOBAL_SOLENOID_OFF", "The solenoid was off or ramping: no track momenta in the inner detector.",
            True, "never", 0.0, CALCULATOR, ("Solenoid current below 7,700 A",)),
    Primary("LUMI_VDM", "A van der Meer scan: the beams were moved apart on purpose.",
            True, "never", 0.0, CALCULATOR, ("van der Meer scan",)),
    Primary("LUMI_EMITTANCESCAN",
            "A short emittance scan at the start of a fill; luminosity changes within the lumisection.",
            True, "scan", 1.0, CALCULATOR, ("Emittance scan",)),
    Primary("LUMI_LUCID_DISABLED", "LUCID gave no luminosity; that of the track counting is used instead.",
            False, "short", 0.15, EXPERT, ("LUCID high voltage being tuned", "LUCID read-out restarted")),
    Primary("LUMI_STEERING_PULSE", "A magnet that steers the beams did not repeat its cycle.",
            True, "never", 0.0, EXPERT, ("Current of the steering magnet too low",)),
    Primary("PIXEL_BARREL_STANDBY", "The barrel was at stand-by voltage while beams were stable.",
            True, "start", 0.25, CALCULATOR, ("Bad Fraction: 0.{n}",)),
    Primary("PIXEL_READOUT_PROBLEM", "At least one read-out driver sent empty events.",
            True, "block", 0.32, EXPERT,
            ("ROD D1B{sector} sent empty fragments until it was reset",
             "Optical link of module L1-S{sector} lost lock, recovered by a re-tune"), 0.1),
    Primary("PIXEL_LAYER0_DISABLED", "The innermost layer was switched off.",
            True, "block", 0.06, EXPERT, ("Layer 0 off after a cooling trip, back after {n} minutes",)),
    Primary("PIXEL_IBL_HVSCAN", "High-voltage scan of the insertable layer; its efficiency changes during the scan.",
            True, "never", 0.0, EXPERT, ("HV scan of the IBL, 80 to 400 V",)),
    Primary("PIXEL_ENDCAPC_5to7pct_NOTREADY", "Between 5 and 7 per cent of the modules of end-cap C were not ready.",
            False, "bursts", 1.6, HANCOOL, ("assign PIXEL_ENDCAPC_5to7pct_NOTREADY",)),
    Primary("PIXEL_LAYER0_7to10pct_NOTREADY", "Between 7 and 10 per cent of the modules of layer 0 were not ready.",
            False, "bursts", 1.0, HANCOOL, ("assign PIXEL_LAYER0_7to10pct_NOTREADY",)),
    Primary("SCT_GLOBAL_STANDBY", "The SCT was at stand-by voltage while beams were stable.",
            True, "start", 0.35, CALCULATOR, ("Bad Fraction: 1.000", "Bad Fraction: 0.{n}")),
    Primary("SCT_CRATE_OUT", "A whole read-out crate was missing.",
            True, "block", 0.12, EXPERT, ("Crate 3 dropped out of the read-out, {n} modules affected",)),
    Primary("SCT_PERIOD_ERR_MAJOR", "Bunch-counter errors in more than 40 links at once.",
            True, "block", 0.16, HANCOOL, ("{n} modules affected",), 0.4),
    Primary("SCT_ROD_OUT", "One read-out driver was out; the neighbouring layers cover for it.",
            False, "block", 1.1, HANCOOL, ("ROD {sector} out", "ROD {sector} out, {n} modules affected")),
    Primary("SCT_EFF_LT99", "Hit efficiency of a layer below 99 per cent.",
            False, "whole", 0.8, HANCOOL, ("total eff 98.{n}", "eff 98.{n} in layer 3, known since April")),
    Primary("TRT_NODATA_06", "More than 6 per cent of the straws gave no data.",
            True, "block", 0.11, HANCOOL, ("{n} boards without data after a resynchronisation",)),
    Primary("TRT_NODATA_01", "Between 1 and 6 per cent of the straws gave no data.",
            False, "block", 1.3, HANCOOL, ("Sector {sector} without data", "{n} boards without data")),
    Primary("TRT_BADGAS", "The gas mixture was outside its limits; particle identification suffers.",
            True, "never", 0.0, EXPERT, ("Xenon fraction below limit in end-cap A after a bottle change",)),
    Primary("TRT_DESYNC", "Parts of the TRT were out of step with the trigger until they were resynchronised.",
            False, "short", 0.6, HANCOOL, ("TTC partition {sector} resynchronised",)),
    Primary("ID_BS_RUNAVERAGE", "The beam spot of the run's average is used, for want of one of these lumisections.",
            False, "not_ready", 1.0, "sys:beamspot", ("No beam spot fit here, run average used",)),
    Primary("ID_IBL_TRACKCOVERAGE",
            "Holes in the coverage of the insertable layer, as known since the start of the year.",
            False, "whole", 0.9, HANCOOL, ("Three modules of stave 14 off, known issue", "Known modules, nothing new")),
    Primary("ID_NOTRACKS", "The tracking found no tracks, so nothing that needs tracks can be used.",
            True, "short", 0.07, EXPERT, ("Track reconstruction crashed on these events in the express pass",), 0.9),
    Primary("ID_ALIGN_DEGRADED", "Alignment constants are not final; the residuals are up to twice as wide.",
            False, "whole", 0.3, EXPERT, ("Alignment of the express pass, to be redone for the bulk",), 1.0),
    Primary("LAR_DATACORRUPT", "Corrupted data of one or more front-end boards.",
            True, "burst", 0.5, HANCOOL, ("Front-end board data corrupted", "Checksum errors in {n} boards")),
    Primary("LAR_EMBA_DATACORRUPT", "Corrupted data in half barrel A.",
            True, "block", 0.12, EXPERT, ("FEB data corrupted, half barrel A",), 0.2),
    Primary("LAR_EMBA_HVTRIP", "A high-voltage line of half barrel A tripped and was ramped up again.",
            True, "block", 0.30, EXPERT,
            ("Trip of line {sector}, back at nominal after {n} minutes",
             "Trip of sector {sector}, gap 1; recovered, corrected offline"), 0.5),
    Primary("LAR_EMBC_HVTRIP", "A high-voltage line of half barrel C tripped and was ramped up again.",
            True, "block", 0.30, EXPERT, ("Trip of line {sector}, ramped back within {n} minutes",), 0.5),
    Primary("LAR_EMECA_SEVNOISEBURST", "Noise bursts in end-cap A that the time veto does not remove.",
            True, "burst", 0.45, EXPERT, ("Between 1 and {n} events surviving the time veto in physics_Main",), 0.3),
    Primary("LAR_EMECA_NOISEBURST", "Noise bursts in end-cap A, removed by the time veto.",
            False, "bursts", 2.2, EXPERT, ("Between 1 and 1000 events flagged, cleaned by time veto",)),
    Primary("LAR_EMECC_NOISEBURST", "Noise bursts in end-cap C, removed by the time veto.",
            False, "bursts", 1.9, EXPERT, ("Between 1 and 1000 events flagged, cleaned by time veto",)),
    Primary("LAR_HECC_HVNONNOMINAL", "A line of the hadronic end-cap C ran below its nominal voltage.",
            True, "whole", 0.4, EXPERT,
            ("HEC C line {sector} at 1600 V instead of 1800 V", "HEC C module {sector} below nominal")),
    Primary("LAR_HECC_HVNONNOM_CORRECTED",
            "The lower voltage is corrected for in the energy; what remains is more noise.",
            False, "never", 0.0, EXPERT, ("Energy correction for the lower voltage is in the conditions",)),
    Primary("LAR_FCALA_COVERAGE", "Cells missing in the forward calorimeter A.",
            False, "whole", 0.35, EXPERT, ("{n} cells masked", "One base plane off, as in the reference run")),
    Primary("TILE_LBA_TRIP", "A low-voltage supply of the long barrel A tripped; the module recovered by itself.",
            False, "bursts", 1.2, EXPERT, ("LBA{sector} tripped", "Power cycle on LBA{sector}")),
    Primary("TILE_EBA_BAD_COVER", "More than one adjacent module of the extended barrel A was off.",
            True, "block", 0.14, EXPERT, ("EBA{sector} and its neighbour off for {n} minutes",)),
    Primary("TILE_EBC_DAQ_PRB", "Data-acquisition problem in the extended barrel C: fragments lost.",
            True, "block", 0.18, HANCOOL, ("ROD of EBC{sector} sent truncated fragments",), 0.1),
    Primary("TILE_LBC_TIMING_SEVERE", "Timing jump of a digitiser by more than 15 ns in the long barrel C.",
            True, "block", 0.14, EXPERT,
            ("LBC{sector} digitiser 4 jumped by 22 ns", "LBC{sector} jumped, fixed for the bulk"), 0.7),
    Primary("MDT_EC_STANDBY_HV", "End-cap chambers were at stand-by voltage while beams were stable.",
            True, "start", 0.30, CALCULATOR, ("Bad fractions: EA 0.{n}, EC 0.{n}",)),
    Primary("MDT_BA_PROBLEM", "More than a tenth of the barrel coverage of side A was lost.",
            True, "block", 0.12, EXPERT, ("BML{sector} and its neighbours without data",)),
    Primary("MDT_ROD_PROBLEM_1", "One read-out driver had to be recovered.",
            False, "short", 0.9, HANCOOL, ("ROD {sector} recovered", "ROD {sector} removed and put back")),
    Primary("RPC_BA_STANDBY_HV", "Barrel chambers were at stand-by voltage while beams were stable.",
            True, "start", 0.22, CALCULATOR, ("Bad Fraction: 0.{n}",)),
    Primary("RPC_BC_PROBLEM_1", "One trigger tower of the barrel was dead.",
            False, "whole", 0.7, EXPERT,
            ("Sector {sector}, layer 2 disconnected", "Sectors {sector} partially disconnected")),
    Primary("TGC_EA_STANDBY_HV", "End-cap chambers of side A were at stand-by voltage while beams were stable.",
            True, "start", 0.18, CALCULATOR, ("Bad Fraction: 0.{n}",)),
    Primary("TGC_EC_PROBLEM_1", "One sector of the end-cap C had lost a chamber.",
            False, "block", 0.5, EXPERT, ("Sector {sector} chamber 2 tripped",)),
    Primary("TGC_EA_SECTOR_BAD", "A sector of end-cap A saw only a part of its hits, or saw them late.",
            True, "never", 0.0, EXPERT, ("Sector {sector} late after a reset of its clock",)),
    Primary("CSC_EA_OutOfSync_3orMore", "At least three chambers were out of step with the trigger.",
            True, "block", 0.10, HANCOOL, ("{n} chambers out of sync until the next resynchronisation",)),
    Primary("CSC_EC_ROD_PROBLEM_1", "One read-out driver of side C had to be recovered.",
            False, "short", 0.5, HANCOOL, ("ROD {sector} recovered",)),
    Primary("TRIG_L1_CAL_off", "The calorimeter trigger was off or misconfigured.",
            True, "short", 0.09, EXPERT, ("Pre-processor crate {sector} misconfigured after a restart",)),
    Primary("TRIG_L1_MUB_TIMING", "Barrel muon trigger early or late in one sector, still within the accepted window.",
            False, "whole", 0.4, EXPERT, ("Sector {sector} late by half a bunch crossing",)),
    Primary("TRIG_L1_CTP_DEADTIME", "Dead time of the central trigger above 10 per cent.",
            False, "short", 0.9, HANCOOL, ("Complex dead time {n}%",)),
    Primary("TRIG_HLT_GENERAL_no_primaries", "The high-level trigger accepted no primary events.",
            True, "short", 0.08, EXPERT, ("HLT farm restarted", "Wrong prescale key until the shift noticed")),
    Primary("TRIG_HLT_BJT_NO_MULTIBJET", "The multi-b-jet chains did not run.",
            True, "block", 0.07, EXPERT, ("Chains disabled by mistake in this key",)),
    Primary("TRIG_HLT_MUO_unknown", "Something new in the muon chains; an expert will name it.",
            False, "block", 0.30, EXPERT, ("Rate of mu26 {n}% low, under study",)),
    Primary("TRIG_HLT_OBJECT_WRONG", "One kind of object was reconstructed wrongly in the high-level trigger.",
            True, "never", 0.0, EXPERT, ("Wrong constants for one kind of object",)),
    Primary("EGAMMA_ETAPHI_SPIKES", "Spikes in the η-φ map of photon candidates, too few to matter.",
            False, "whole", 0.85, HANCOOL, ("assign EGAMMA_ETAPHI_SPIKES",)),
    Primary("EGAMMA_B_SEVERE_HOTSPOT", "A hot cell fakes more than one in twenty photons in the barrel.",
            True, "block", 0.10, EXPERT, ("Hot cell at η 0.{n}, masked for the bulk",), 1.0),
    Primary("JET_LOWOCCUPANCY", "Fewer jets than expected in a region, mostly from known dead modules.",
            False, "whole", 0.8, HANCOOL, ("assign JET_LOWOCCUPANCY",)),
    Primary("JET_SEVERE_HOTSPOT", "A hot tower fakes jets above 100 GeV.",
            True, "block", 0.09, EXPERT, ("Hot tower at η −1.{n}, from LBC{sector}; masked for the bulk",), 1.0),
    Primary("MET_Ex_largeshift", "The mean of a component of missing momentum is off by more than 2 GeV.",
            True, "block", 0.07, EXPERT, ("Mean shifted by {n} GeV, follows the noise in HEC C",), 0.6),
    Primary("MET_LOWSTAT", "Too few events for the checks; signed off on those of the neighbouring runs.",
            False, "short_run", 1.0, HANCOOL, ("Too few events",)),
    Primary("TAU_CR_ETAPHI_SPIKES", "Spikes in the η-φ map of tau candidates in the crack region.",
            False, "whole", 0.5, HANCOOL, ("assign TAU_CR_ETAPHI_SPIKES",)),
    Primary("TAU_B_LOWSTAT", "Too few tau candidates in the barrel for the checks.",
            False, "short_run", 1.0, HANCOOL, ("Too few candidates",)),
    Primary("BTAG_ALIGN_DEGRADED",
            "Tagging with alignment constants that are not final; the light-jet rejection is lower.",
            False, "whole", 0.3, EXPERT, ("Follows ID_ALIGN_DEGRADED, to be redone for the bulk",), 1.0),
    Primary("BTAG_LAYER0_LOSS", "Tagging without the innermost layer.",
            True, "block", 0.05, EXPERT, ("Innermost layer off, tagging efficiency {n}% lower",)),
)  # fmt: skip

VIRTUALS = (
    Virtual("ATLGL", "GLOBAL", "The experiment as a whole could not be used.",
            "GLOBAL_NOTREADY or GLOBAL_BUSY_GREATER50PCT or GLOBAL_NOTCONSIDERED or GLOBAL_SOLENOID_OFF"),
    Virtual("LUMSCAN", "LUMI", "Beams were being moved, so the luminosity within the lumisection is not one number.",
            "LUMI_VDM LUMI_EMITTANCESCAN LUMI_STEERING_PULSE"),
    Virtual("PIXB", "PIXEL", "The pixel barrel could not be used.",
            "PIXEL_BARREL_STANDBY or PIXEL_READOUT_PROBLEM or PIXEL_LAYER0_DISABLED or PIXEL_IBL_HVSCAN"),
    Virtual("SCTB", "SCT", "The SCT could not be used.", "SCT_GLOBAL_STANDBY SCT_CRATE_OUT SCT_PERIOD_ERR_MAJOR"),
    Virtual("TRTB", "TRT", "The TRT could not be used.", "TRT_NODATA_06 or TRT_BADGAS"),
    Virtual("IDGL", "ID", "Tracking as a whole could not be used.", "ID_NOTRACKS or PIXB or SCTB"),
    Virtual("EMBA", "LAR", "Half barrel A of the liquid-argon calorimeter could not be used.",
            "LAR_DATACORRUPT or LAR_EMBA_DATACORRUPT or LAR_EMBA_HVTRIP"),
    Virtual("EMBC", "LAR",
            "Half barrel C of the liquid-argon calorimeter could not be used.",
            "LAR_DATACORRUPT or LAR_EMBC_HVTRIP"),
    Virtual("EMEC", "LAR",
            "The liquid-argon end-caps could not be used.",
            "LAR_EMECA_SEVNOISEBURST or LAR_DATACORRUPT"),
    Virtual("HEC", "LAR",
            "The hadronic end-caps could not be used: a voltage was low and the energy is not corrected for it.",
            "LAR_HECC_HVNONNOMINAL and not LAR_HECC_HVNONNOM_CORRECTED"),
    Virtual("TIGB", "TILE", "The Tile calorimeter could not be used.",
            "TILE_EBA_BAD_COVER TILE_EBC_DAQ_PRB TILE_LBC_TIMING_SEVERE"),
    Virtual("MDTGL", "MDT", "The drift tubes could not be used.", "MDT_EC_STANDBY_HV MDT_BA_PROBLEM"),
    Virtual("RPCBA", "RPC", "The barrel muon trigger chambers could not be used.", "RPC_BA_STANDBY_HV"),
    Virtual("TGCEA", "TGC", "The end-cap muon trigger chambers could not be used.",
            "TGC_EA_STANDBY_HV or TGC_EA_SECTOR_BAD"),
    Virtual("CSCEA", "CSC", "The cathode-strip chambers could not be used.", "CSC_EA_OutOfSync_3orMore"),
    Virtual("MUONS", "MDT", "Muons could not be measured in the spectrometer.",
            "GLOBAL_TOROID_OFF or MDTGL or RPCBA or TGCEA or CSCEA"),
    Virtual("TRIGGER", "TRIG_HLT", "The physics triggers did not run as intended.",
            "TRIG_L1_CAL_off or TRIG_HLT_GENERAL_no_primaries or TRIG_HLT_BJT_NO_MULTIBJET "
            "or TRIG_HLT_OBJECT_WRONG"),
    Virtual("OBJECTS", "JET", "A reconstructed object could not be used although the detectors were fine.",
            "EGAMMA_B_SEVERE_HOTSPOT or JET_SEVERE_HOTSPOT or MET_Ex_largeshift"),
    Virtual("CALO", "LAR", "The calorimeters could not be used.", "EMBA or EMBC or EMEC or HEC or TIGB"),
    Virtual("PHYS_NO_TOROID", "GLOBAL", "Not fit for analyses that need no muons: everything but the spectrometer.",
            "ATLGL or LUMSCAN or IDGL or TRTB or CALO or TRIGGER or OBJECTS"),
    Virtual("PHYS_ALL_GOOD", "GLOBAL", "Not fit for an analysis that needs the whole detector.",
            "PHYS_NO_TOROID or MUONS"),
    Virtual("PHYS_MUONS_ONLY", "GLOBAL", "Not fit for studies of muons alone.", "ATLGL or IDGL or MUONS or TRIGGER"),
    Virtual("TOROID_ONLY", "GLOBAL", "Lost to muon analyses by the toroid alone, usable by all others.",
            "GLOBAL_TOROID_OFF and not PHYS_NO_TOROID"),
)  # fmt: skip

# What changes after the first tag, which keeps the definitions and the names it was made with.
WIDENED = {
    "OBJECTS": "EGAMMA_B_SEVERE_HOTSPOT or JET_SEVERE_HOTSPOT or MET_Ex_largeshift or BTAG_LAYER0_LOSS",
}
RENAMED = {"TILE_EBC_DAQ_PRB": "TILE_EBC_DAQ_PROBLEM"}
REWORDED = {
    "SCT_EFF_LT99": "Hit efficiency of a layer below 99 per cent; below 97 per cent record SCT_ROD_OUT as well.",
}
