"""A simulated year of the loop: score, review, confirm or override, retrain, with a guarantee that is watched.

    python -m benchmarks.bench_year_loop [--quick] [--json FILE] [--seed N] [--database-url URL]

26 weeks, 300 runs, 45,000 lumisections, five systems of two histograms each, drawn with drift and with two families of
defects that come only from week 13 on; noisy experts; from week 19 on data of one system are bad in a way that none of
its histograms shows. Everything goes through the services of the application, in a SQLite file of its own (or in the
database given, which must be empty): ingest, scoring, review queue with blind audit, training with its gate, the watch
that stops automation; the last Sunday's trainings through jobs and processes of their own, as workers do them. Experts
read the first seven weeks by hand. What was decided is then held against the truth, from week 8 on, each week's runs as
they were decided in that week; they are not scored anew by later models. "In the end" is what stands after the year:
the word of people wherever they have looked by then, all that they read again after stops included, with their errors.

Beside it, from the same seventh week on: the same models for the rest of the year; retraining on what the queue asks
about only, without audit and without runs that are looked at as a whole; and everything by hand.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FIRST_TRAINING, COUNTED_FROM = 6, 7
# Systems, weeks, runs, lumisections in a run, the week (from 0) in which the silent drift begins.
SIZES = {"full": (5, 26, 300, 150.0, 18), "quick": (3, 12, 84, 60.0, 9)}
TARGETS = {"manual": 0.20, "pollution": 0.005, "loss": 0.005, "weeks": 2, "seconds": 600.0, "peak_mb": 4000.0}
# Light enough for two hundred trainings.
RECIPE = {
    "detectors": [{"name": "pulls", "parameters": {}, "elements": ["*"], "axes": 1}],
    "refresh": 4, "folds": 3, "most_features": 50, "doubt_folds": 2,
    "classifier_parameters": {"max_iter": 40, "max_depth": 4, "n_estimators": 0},
}  # fmt: skip
# What some thousand lumisections can prove; the small world has no more. Of three weeks more must be audited than of
# eight for a silent drift to be found.
QUICK_LIMITS = {"pollution": 0.03, "loss": 0.03}
QUICK_AUDITED, QUICK_WHOLE = 0.2, 0.1
VARIANTS = {
    "weekly": "weekly retraining",
    "never": "no retraining",
    "grey": "retraining on grey-zone labels only",
}


@dataclass
class Line:
    variant: str
    manual: float
    pollution: float
    loss: float
    # As decided, with the weeks of the silent drift of its system left out, as named in the text.
    without_drift: dict[str, float] = field(default_factory=dict)
    # After the year, the silent drift included: what people read again after a stop is theirs, with their errors.
    in_the_end: dict[str, float] = field(default_factory=dict)
    weeks_to_stop: int | None = None
    retraining_s: float | None = None
    peak_mb: float | None = None
    outcomes: dict[str, int] = field(default_factory=dict)
    automatic: dict[str, float] = field(default_factory=dict)
    cpu_s: float = 0.0
    by_week: list[dict[str, Any]] = field(default_factory=list)
    stops: dict[str, list[int]] = field(default_factory=dict)

    @property
    def missed(self) -> list[str]:
        """Targets of the weekly loop that it does not reach."""
        found = [name for name in ("manual",) if getattr(self, name) > TARGETS[name]]
        for rates in (self.without_drift, self.in_the_end):
            found += [name for name in ("pollution", "loss") if not rates[name] <= TARGETS[name]]
        if self.weeks_to_stop is None or self.weeks_to_stop > TARGETS["weeks"]:
            found.append("audit")
        if self.retraining_s is None or self.retraining_s > TARGETS["seconds"]:
            found.append("seconds")
        if self.peak_mb is None or self.peak_mb > TARGETS["peak_mb"]:
            found.append("memory")
        return found

    def text(self) -> str:
        drift, end = (
            f"{each['pollution']:>9.3%} {each['loss']:>7.3%}" if each else ""
            for each in (self.without_drift, self.in_the_end)
        )
        stop = "-" if self.weeks_to_stop is None else str(self.weeks_to_stop)
        seconds = "-" if self.retraining_s is None else f"{self.retraining_s:.0f}"
        peak = "-" if self.peak_mb is None else f"{self.peak_mb:.0f}"
        rates = f"{self.manual:>7.1%} {self.pollution:>9.3%} {self.loss:>7.3%} {drift:>17}"
        return f"{VARIANTS.get(self.variant, self.variant):<38} {rates} {end:>17} {stop:>5} {seconds:>6} {peak:>6}"


HEAD = (
    f"{'variant':<38} {'manual':>7} {'pollution':>9} {'loss':>7} {'without drift':>17} {'in the end':>17} "
    f"{'stop':>5} {'s':>6} {'MB':>6}"
)


# -- in a process of its own: a variant -----------------------------------------------------------------------------


def world(size: str, seed: int) -> Any:
    from benchmarks.year_world import season

    systems, weeks, runs, length, silent = SIZES[size]
    return season(seed=seed, systems=systems, weeks=weeks, runs=runs, length=length, silent_week=silent)


def audit(size: str, variant: str = "") -> None:
    """How much is sent blind: nothing where only the grey zone is learned from."""
    from django.conf import settings

    if variant == "grey":
        settings.REVIEW_AUDIT_SHARE = settings.REVIEW_WHOLE_SHARE = 0.0
    elif size == "quick":
        settings.REVIEW_AUDIT_SHARE, settings.REVIEW_WHOLE_SHARE = QUICK_AUDITED, QUICK_WHOLE


def set_up(season: Any) -> None:
    """Systems, what can be wrong with them, and people, into an empty database."""
    from certifier.accounts import services as accounts
    from certifier.accounts.models import Role
    from certifier.defects import services as defects

    chi = accounts.create_user(actor=None, username="chi")
    accounts.grant_role(actor=None, user=chi, role=Role.COORDINATOR)
    for detector in season.detectors:
        system = accounts.create_system(actor=None, code=detector.code, name=detector.name)
        expert = accounts.create_user(actor=None, username=f"expert_{detector.code.lower()}")
        accounts.grant_role(actor=None, user=expert, role=Role.EXPERT, system=system)
        names = [family.name for family in detector.families]
        names += [silent.name for silent in season.silent if silent.system == detector.code]
        new = [defects.NewDefect(name=name, system=system, intolerable=True) for name in names]
        defects.define_defects(actor=None, definitions=new)


def player(season: Any, **options: Any) -> Any:
    from certifier.accounts.models import User
    from certifier.demo.weeks import People, Weeks

    experts = {each.code: User.objects.get(username=f"expert_{each.code.lower()}") for each in season.detectors}
    people = People(experts, User.objects.get(username="chi"))
    return Weeks(season, people, learning=range(FIRST_TRAINING, season.weeks), **options)


def begin(size: str, seed: int) -> None:
    """The weeks that are read by hand, and the first training."""
    audit(size)
    season = world(size, seed)
    set_up(season)
    weeks = player(season)
    for week in range(FIRST_TRAINING + 1):
        weeks.live(week)
        tell(weeks, week)


def go_on(size: str, seed: int, variant: str) -> Line:
    audit(size, variant)
    season = world(size, seed)
    weeks = player(season, first_only=variant == "never")
    last = season.weeks - 1
    began = time.process_time()
    for week in range(FIRST_TRAINING + 1, season.weeks):
        weeks.in_own_process = week == last and variant == "weekly"
        weeks.live(week)
        tell(weeks, week)
    return figures(weeks, variant, time.process_time() - began)


def tell(weeks: Any, week: int) -> None:
    from certifier.demo.weeks import tally
    from certifier.precert.models import Mode
    from certifier.precert.selectors import models_of_system

    mine = [done for done in weeks.certified if done.week == week]
    sums = tally(weeks.season, mine)
    outcomes = ", ".join(f"{row.system.code} {row.outcome}" for row in weeks.trainings.get(week, []))
    modes = [code for code, each in weeks.systems.items() if models_of_system(each).mode == Mode.AUTO]
    rates = f"looked at {sums.manual:>6.1%}, pollution {sums.pollution:>7.3%}, loss {sums.loss:>7.3%}"
    said = f"{outcomes or 'read by hand'}; auto: {' '.join(modes) or 'none'}"
    used, kept = spent_s(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  week {week + 1:>2}: {rates}; {said}; {used:.0f} s, {kept:.0f} MB", file=sys.stderr, flush=True)


def spent_s() -> float:
    """Processor time of this process and of those it has waited for."""
    return time.process_time() + resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


def figures(weeks: Any, variant: str, cpu_s: float) -> Line:
    from certifier.demo.weeks import tally

    season = weeks.season
    counted = [done for done in weeks.certified if done.week >= COUNTED_FROM]
    everything = tally(season, counted)
    silent = season.silent[0]
    until = season.repaired.get(silent.system, season.weeks)
    drift = [done for done in counted if done.system == silent.system and silent.week <= done.week < until]
    rest = tally(season, [done for done in counted if done not in drift])
    end = tally(season, [weeks.as_it_stands(done) for done in counted])
    stops = {code: found for code, found in weeks.stopped.items() if found}
    caught = [week - silent.week + 1 for week in stops.get(silent.system, []) if week >= silent.week]
    trained = [row for rows in weeks.trainings.values() for row in rows]
    last = weeks.trainings.get(season.weeks - 1, [])
    outcomes: dict[str, int] = {}
    for row in trained:
        outcomes[row.outcome] = outcomes.get(row.outcome, 0) + 1
    measured = bool(last) and weeks.in_own_process
    return Line(
        variant, everything.manual, everything.pollution, everything.loss,
        {"pollution": rest.pollution, "loss": rest.loss, "manual": rest.manual},
        {"pollution": end.pollution, "loss": end.loss},
        caught[0] if caught else None,
        round(weeks.last_learning_s, 1) if measured else None,
        max(row.peak_mb or 0.0 for row in last) if measured else None,
        outcomes,
        {
            code: round(float(sum(done.automatic for done in counted if done.system == code))
            / max(sum(done.system == code for done in counted), 1), 3)
            for code in weeks.systems
        },
        round(cpu_s + resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, 1),
        by_week(weeks),
        stops,
    )  # fmt: skip


def by_week(weeks: Any) -> list[dict[str, Any]]:
    from certifier.demo.weeks import tally

    found = []
    for week in range(COUNTED_FROM, weeks.season.weeks):
        sums = tally(weeks.season, [done for done in weeks.certified if done.week == week])
        found.append({"week": week + 1, "manual": sums.manual, "pollution": sums.pollution, "loss": sums.loss})
    return found


def by_hand(size: str, seed: int) -> tuple[Line, dict[str, float]]:
    """Everything read by the same experts; and how good they are."""
    from certifier.demo.reading import Habits, all_of, read
    from certifier.demo.weeks import Certified, readers, tally

    season, habits = world(size, seed), Habits()
    counted = [run for run in season.runs if run.week >= COUNTED_FROM]
    done = []
    for run in counted:
        for detector in season.detectors:
            said = all_of(read(season, run, detector.code, habits))
            whole = type(said).whole(run.last)
            done.append(Certified(run.week, run, detector.code, False, good=whole - said, bad=said, looked=whole))
    sums = tally(season, done)
    sensitivity, false = readers(season, habits, counted[::5])
    end = {"pollution": sums.pollution, "loss": sums.loss}
    return Line("everything by hand", sums.manual, sums.pollution, sums.loss, in_the_end=end), {
        "lumisections": sum(run.last for run in season.runs), "runs": len(season.runs),
        "sensitivity": sensitivity, "false": false, "bad": share_of_bad(season), "weak": share_of_weak(season),
    }  # fmt: skip


def share_of_bad(season: Any) -> float:
    runs = season.runs[::3]
    bad = sum(len(season.bad(run, each.code)) for run in runs for each in season.detectors)
    return float(bad / sum(run.last * len(season.detectors) for run in runs))


def share_of_weak(season: Any) -> float:
    """Of the bad lumisections, those that differ by less than five standard deviations."""
    weak = bad = 0
    for run in season.runs[::6]:
        if run.week < season.silent[0].week:
            for each in season.detectors:
                where = season.bad(run, each.code).to_mask(run.last)
                if where.any():
                    seen = season.significance(run, each.code)[where]
                    weak, bad = weak + int((seen < 5).sum()), bad + len(seen)
    return weak / max(bad, 1)


# -- what starts them -----------------------------------------------------------------------------------------------


def environment(url: str, folder: Path, *, quick: bool = False) -> dict[str, str]:
    recipe = RECIPE | (QUICK_LIMITS if quick else {})
    return {
        "DJANGO_SETTINGS_MODULE": "certifier.settings", **os.environ,
        "DATABASE_URL": url, "CERTIFIER_VAR": str(folder), "SECRET_KEY": "benchmark",
        "TRAINING_RECIPE": json.dumps({"*": recipe}),
        # Trees in many threads wait for each other where cores are shared.
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }  # fmt: skip


def step(name: str, folder: Path, url: str, options: argparse.Namespace) -> Any:
    command = [sys.executable, "-m", "benchmarks.bench_year_loop", "--step", name, "--seed", str(options.seed)]
    if options.quick:
        command.append("--quick")
    done = subprocess.run(
        command, cwd=ROOT, env=environment(url, folder, quick=options.quick), check=True,
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return json.loads(done.stdout.decode().strip().splitlines()[-1])


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'year.sqlite3'}"


def measure(place: Path, options: argparse.Namespace) -> tuple[list[Line], dict[str, float]]:
    start = place / "weekly"
    url = options.database_url or sqlite(start)
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT, env=environment(url, start), check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    step("begin", start, url, options)
    places = {"weekly": start}
    # Of a database that was given no copy can be made: the variants need one each.
    for name in () if options.database_url else ("never", "grey"):
        places[name] = shutil.copytree(start, place / name)
    lines = [shown(Line(**step("weekly", start, url, options)))]
    with ThreadPoolExecutor(2) as pool:
        others = {
            name: pool.submit(step, name, folder, sqlite(folder), options)
            for name, folder in places.items()
            if name != "weekly"
        }
        lines += [shown(Line(**each.result())) for each in others.values()]
    answer = step("by-hand", start, url, options)
    lines.append(shown(Line(**answer["line"])))
    return lines, answer["world"]


def shown(line: Line) -> Line:
    print(line.text(), flush=True)
    return line


def steps(options: argparse.Namespace) -> int:
    import django

    django.setup()
    size = "quick" if options.quick else "full"
    if options.step == "begin":
        begin(size, options.seed)
        print("{}")
    elif options.step == "by-hand":
        line, known = by_hand(size, options.seed)
        print(json.dumps({"line": asdict(line), "world": known}))
    else:
        print(json.dumps(asdict(go_on(size, options.seed, options.step))))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database-url")
    parser.add_argument("--quick", action="store_true", help="three systems, 12 weeks, 84 runs of 60 lumisections")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", choices=["begin", *VARIANTS, "by-hand"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        return steps(options)
    began = time.monotonic()
    print(HEAD)
    with tempfile.TemporaryDirectory(prefix="certifier-bench-") as folder:
        lines, known = measure(Path(folder), options)
    weekly = lines[0]
    print(
        f"\n{known['runs']} runs, {known['lumisections']:,} lumisections; {known['bad']:.1%} bad by system, "
        f"{known['weak']:.0%} of them below five standard deviations; experts see {known['sensitivity']:.1%} of the "
        f"bad and call {known['false']:.2%} of the good bad."
    )
    print(f"Trainings of the weekly loop: {weekly.outcomes}; stops: {weekly.stops}.")
    # A smaller world has too few labels for a promise of 0.5% in every system; it shows that all of it works.
    verdict = "not asked of the small world" if options.quick else ", ".join(weekly.missed) or "none"
    used = sum(line.cpu_s for line in lines)
    minutes = (time.monotonic() - began) / 60
    print(f"Targets missed: {verdict}. {used / 60:.0f} min of processor in the variants, {minutes:.0f} min in all.")
    if options.json:
        document = {"lines": [asdict(line) for line in lines], "world": known}
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0 if options.quick or not weekly.missed else 1


if __name__ == "__main__":
    sys.exit(main())
