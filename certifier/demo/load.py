"""Writing the demo's world through the rooms' own services: the same checks, audit events and feed as anybody's work.

All of it is one transaction, so a load that breaks off leaves nothing behind. Entries and signatures carry the times at
which they would have been made; tags and lists that of the load.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.hashers import make_password

from certifier.accounts import services as accounts
from certifier.accounts.models import Role, System, User
from certifier.audit.errors import Conflict
from certifier.audit.unit import unit_of_work
from certifier.defects import services as defects
from certifier.defects.models import Source, Tag
from certifier.goodruns import formats
from certifier.goodruns import services as goodruns
from certifier.monitoring import services as monitoring
from certifier.monitoring.models import Element
from certifier.review import services as review
from certifier.review.checklists import Ticks, write_checklist
from certifier.review.shift_notes import write_note
from certifier.runs import services as runs
from certifier.runs.models import Run

from . import catalogue, checklists, histograms, history, kept_trends, months, notes, others, people, signatures, world
from .clock import standing_at
from .history import Visit
from .notes import Note
from .signatures import Act

Say = Callable[[str], None]
Happening = Visit | Act | Note

LAST_HOUR = timedelta(hours=1)
FIRST_TAG_AT = world.at(20, 12, 0)
SECOND_TAG_AT = world.at(28, 12, 0)
PERIOD_K, PERIODS_KL = "350013-350361", "350013-350771"
REQUIRED = "PHYS_ALL_GOOD"
EXPRESS = f"{world.PROJECT}.express_express.x554_m1971"
FIRST_LIST = f"data18_13TeV.periodK_pro22-01_{REQUIRED}"
NEWEST_LIST = f"data18_13TeV.periodKL_pro22-02_{REQUIRED}"
READY_LIST = "data18_13TeV.periodKL_online_ready"


class NotEmpty(Conflict):
    """The database holds somebody's runs; the demo would mix with them."""


def is_there() -> bool:
    return Tag.objects.filter(name="pro22-02").exists() and Run.objects.filter(number=world.SHOWCASE).exists()


def load(say: Say) -> None:
    """The whole world, or nothing. Raises NotEmpty when there are runs or systems already."""
    if Run.objects.exists() or System.objects.exists():
        raise NotEmpty(
            "There are runs or systems in this database already, and the demo would mix with them. "
            "Point DATABASE_URL (or CERTIFIER_VAR) at an empty one."
        )
    with unit_of_work(None):
        loader = Loader(say)
        loader.set_up()
        loader.live_through()


class Loader:
    def __init__(self, say: Say) -> None:
        self.say = say
        self.runs = list(world.runs())
        self.systems: dict[str, System] = {}
        self.users: dict[str, User] = {}
        self.rows: dict[int, Run] = {}
        happenings: list[Happening] = [*history.visits(self.runs), *signatures.acts(self.runs), *notes.WRITTEN]
        self.ahead = deque(sorted(happenings, key=lambda one: one.at))

    def set_up(self) -> None:
        """What is there before anybody looks at data: systems, people, definitions, runs."""
        self.say("systems, people and definitions")
        for position, plan in enumerate(catalogue.SYSTEMS, start=1):
            self.systems[plan.code] = accounts.create_system(
                actor=None, code=plan.code, name=plan.name, family=plan.family, position=10 * position
            )
        for person in people.PEOPLE:
            self.users[person.username] = self.create(person)
        # Nobody of them is real, and a hash takes a fifth of a second: they share one.
        User.objects.filter(pk__in=[user.pk for user in self.users.values()]).update(
            password=make_password(people.PASSWORD)
        )
        for robot in people.ROBOTS:
            self.users[robot] = accounts.create_user(actor=None, username=robot, is_robot=True)
            accounts.grant_role(actor=None, user=self.users[robot], role=Role.SHIFTER)
        self.define()
        kept_trends.keep(self.users)
        self.say("runs and lumisections")
        self.take_data()

    def create(self, person: people.Person) -> User:
        user = accounts.create_user(
            actor=None, username=person.username, first_name=person.first_name, last_name=person.last_name,
            email=f"{person.username}@example.org",
        )  # fmt: skip
        for code in person.systems or ([None] if person.role else []):
            system = self.systems[code] if code else None
            accounts.grant_role(actor=None, user=user, role=person.role, system=system)
        return user

    def define(self) -> None:
        chi = self.users[people.COORDINATOR]
        primaries = [
            defects.NewDefect(
                name=each.name, system=each.system, description=each.description, intolerable=each.intolerable
            )
            for each in catalogue.PRIMARIES
        ]
        virtuals = [
            defects.NewDefect(
                name=each.name, system=each.system, description=each.description, expression=each.expression
            )
            for each in catalogue.VIRTUALS
        ]
        defects.define_defects(actor=chi, definitions=primaries)
        defects.define_defects(actor=chi, definitions=virtuals)

    def take_data(self) -> None:
        runs.put_runs(actor=None, runs=[facts_of(run) for run in self.runs])
        for run in self.runs:
            if run.last:
                columns = {
                    "duration_s": run.duration_s, "delivered_inv_nb": run.delivered,
                    "recorded_inv_nb": run.recorded, "pileup": run.pileup, "started_at": started_at(run),
                }  # fmt: skip
                runs.put_lumisections(actor=None, run=run.number, columns=columns, flags=run.flags)
            for name, stage, facts in datasets_of(run):
                runs.put_dataset(actor=None, run=run.number, name=name, stage=stage, facts=facts)
        runs.import_reference_runs(actor=None, references=list(references(self.runs).items()), source="demo")
        self.monitor()
        self.rows = {run.number: run for run in Run.objects.all()}

    def monitor(self) -> None:
        """The histograms of the express processing of a few runs, and who looks after which."""
        self.say("histograms")
        by_number = {run.number: run for run in self.runs}
        for number in histograms.RUNS:
            blocks = list(histograms.blocks(by_number[number]))
            monitoring.ingest(actor=None, run=number, dataset=EXPRESS, blocks=blocks)
        for element in Element.objects.all():
            monitoring.change_element(actor=None, element=element, system=histograms.SYSTEM_OF[element.path])

    def live_through(self) -> None:
        """Entries and signatures in the order of time, and in between what a coordinator does."""
        self.say("the months before, week by week")
        facts = {"project": world.PROJECT, "period": "J"}
        played = months.play(self.users, EXPRESS, facts)
        others.Before(played.season.runs, self.users, EXPRESS).play(played.season.week_begins(months.WEEKS) - LAST_HOUR)
        others.show({run.number: run for run in self.runs}, EXPRESS)
        self.say("entries, sign-offs, tags and lists")
        chi = self.users[people.COORDINATOR]
        self.until(checklists.WRITTEN_AT)
        self.write_checklists()
        self.until(FIRST_TAG_AT)
        tag = defects.create_tag(actor=chi, name="pro22-01", description="First pass over period K")
        self.publish(FIRST_LIST, tag, PERIOD_K, "Period K after its bulk reconstruction.")
        self.change_definitions()
        self.until(SECOND_TAG_AT)
        description = "Periods K and L, for the summer conferences"
        tag = defects.create_tag(actor=chi, name="pro22-02", description=description, runs=PERIODS_KL)
        self.import_ready_list()
        self.publish(NEWEST_LIST, tag, PERIODS_KL, f"{description}.")
        self.until(world.END_OF_WORLD)

    def until(self, moment: datetime) -> None:
        """What happened before `moment` and was not written yet."""
        while self.ahead and self.ahead[0].at < moment:
            one = self.ahead.popleft()
            if isinstance(one, Act):
                self.sign(one)
            elif isinstance(one, Note):
                with standing_at(one.at):
                    write_note(actor=self.users[one.by], text=one.text)
            else:
                self.record(one)

    def record(self, visit: Visit) -> None:
        names = catalogue.RENAMED if visit.at >= FIRST_TAG_AT else {}
        entries = [
            defects.NewEntry(
                run=entry.run, defect=names.get(entry.defect, entry.defect), lumisections=entry.lumisections,
                present=entry.present, recoverable=entry.recoverable, comment=entry.comment, entered_at=visit.at,
            )
            for entry in visit.entries
        ]  # fmt: skip
        source = Source.ROBOT if visit.user in people.ROBOTS else Source.PAGE
        defects.record_entries(actor=self.users[visit.user], entries=entries, source=source)

    def sign(self, act: Act) -> None:
        said: dict[str, Any] = {
            "actor": self.users[act.by], "run": self.rows[act.run], "system": self.systems[act.system],
            "stage": act.stage, "comment": act.comment, "at": act.at,
        }  # fmt: skip
        if act.action == signatures.REOPEN:
            review.reopen(**said)
        elif act.at < checklists.WRITTEN_AT:
            review.sign_off(**said)
        else:
            review.sign_off(**said, ticks=Ticks(1, checklists.ticked(act.run, act.system, act.stage)))

    def write_checklists(self) -> None:
        """The experts of each system say what is to be looked at from now on."""
        with standing_at(checklists.WRITTEN_AT):
            for code, lists in checklists.POINTS.items():
                for stage, points in zip(checklists.STAGES, lists, strict=True):
                    expert, system = self.users[people.EXPERT_OF[code]], self.systems[code]
                    write_checklist(actor=expert, system=system, stage=stage, points=points)

    def change_definitions(self) -> None:
        """Three changes after the first tag, each by whoever answers for it."""
        experts = {each.name: self.users[people.EXPERT_OF[each.system]] for each in catalogue.PRIMARIES}
        for name, expression in catalogue.WIDENED.items():
            defects.change_defect(actor=self.users[people.COORDINATOR], defect=name, expression=expression)
        for name, new_name in catalogue.RENAMED.items():
            defects.change_defect(actor=experts[name], defect=name, name=new_name)
        for name, description in catalogue.REWORDED.items():
            defects.change_defect(actor=experts[name], defect=name, description=description)

    def publish(self, name: str, tag: Tag, selection: str, description: str) -> None:
        goodruns.build_list(
            actor=self.users[people.COORDINATOR], name=name, require=[REQUIRED], tag=tag, runs=selection,
            description=description,
        )  # fmt: skip

    def import_ready_list(self) -> None:
        goodruns.import_list(
            actor=self.users[people.COORDINATOR], name=READY_LIST, file=formats.read(ready_list(self.runs).encode()),
            source=f"{READY_LIST}.json", description="Where the experiment was ready, as the online system saw it.",
        )  # fmt: skip


# --- what the run registry says -----------------------------------------------------------------------------


def facts_of(run: world.WorldRun) -> dict[str, Any]:
    """A run as REST would send it."""
    return {
        "run": run.number,
        "lumisections": run.last,
        "project": world.PROJECT,
        "period": run.fill.period,
        "fill": run.fill.number,
        "started_at": run.started_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "beam": "pp",
        "energy_gev": 6500.0,
        "attributes": run.attributes,
    }


def started_at(run: world.WorldRun) -> list[datetime]:
    """When each lumisection began."""
    times, now = [], run.started_at
    for seconds in run.duration_s.tolist():
        times.append(now)
        now += timedelta(seconds=seconds)
    return times


def datasets_of(run: world.WorldRun) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(name, stage, attributes) of what the reconstruction has made of a run so far."""
    if not run.last:
        return
    yield (
        EXPRESS,
        "express",
        {"events": run.attributes["streams"]["express_express"]},
    )
    if run.ended_at and run.ended_at + timedelta(days=3) < world.END_OF_WORLD:
        yield f"{world.PROJECT}.physics_Main.f937_m1972", "bulk", {"events": run.attributes["streams"]["physics_Main"]}


def references(taken: list[world.WorldRun]) -> dict[int, int]:
    """Each run is compared with the last long run of the fill before it."""
    found: dict[int, int] = {}
    longest: dict[int, world.WorldRun] = {}
    for run in taken:
        before = [kept for fill, kept in longest.items() if fill < run.fill.number]
        if before:
            found[run.number] = before[-1].number
        known = longest.get(run.fill.number)
        if known is None or run.last > known.last:
            longest[run.fill.number] = run
    return found


def ready_list(taken: list[world.WorldRun]) -> str:
    """A golden JSON of the lumisections that the online system called ready, of periods K and L."""
    ready = {
        str(run.number): [list(pair) for pair in run.ready] for run in taken if run.ready and run.fill.period != "M"
    }
    return json.dumps(ready)
