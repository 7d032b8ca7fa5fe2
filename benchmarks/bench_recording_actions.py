"""What it takes to mark LAR_NOISEBURST at twelve scattered ranges with a comment, by five ways, in a browser.

    python -m benchmarks.bench_recording_actions [--quick] [--json FILE] [--seed N]

Chromium does each way from the page of a run of 728 lumisections until the entry is confirmed, as a person would who
knows the page; what was recorded is read back over REST and compared. Counted is what the person does: keys, clicks,
drags, changes between keyboard and mouse. Measured is what the machine makes them wait for: after each act, the time
until what the next one needs is there (Playwright's own asking included, some hundredths of a second each).

How long a person takes is estimated, not measured, with the keystroke-level model of Card, Moran and Newell (The
Keystroke-Level Model for User Performance Time with Interactive Systems, CACM 23, 1980): K for a key, P = 1.1 s to
point, B = 0.1 s to press or release a button, H = 0.4 s from keyboard to mouse and back, M = 1.35 s to think before
each unit: the defect, each range, the comment, and looking at what is to be recorded. K is given for two hands: 0.20 s
of a skilled typist throughout, and 0.28 s in words with 0.50 s in names and numbers, which the authors give for random
letters. The model is of experts who make no mistake; its authors state an error of some 20% for one task.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.keystrokes import SKILLED_K, SLOWER_K, Hand, Strip
from benchmarks.serving import ROOT, Server, serving
from tests.needs import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

FIRST_RUN, LUMISECTIONS, RANGES = 359_918, 728, 12
DEFECT, COMMENT = "LAR_NOISEBURST", "Bursts in the end-cap, cleaned by the time veto"
ROUNDS, QUICK_ROUNDS = 7, 2
# One lumisection is at least so wide when somebody points at it.
WIDE_PX = 6.0


def prepare(seed: int, rounds: int) -> dict[str, Any]:
    """Fill the empty database; the cookie of a session, and the ranges."""
    from django.test import Client

    from certifier.accounts import services as accounts
    from certifier.accounts.models import Role
    from certifier.defects import services as defects
    from certifier.defects.services import NewDefect
    from certifier.runs import services as runs

    lar = accounts.create_system(actor=None, code="LAR", name="Liquid-argon calorimeter")
    user = accounts.create_user(actor=None, username="ada")
    accounts.grant_role(actor=None, user=user, role=Role.EXPERT, system=lar)
    names = [DEFECT, "LAR_EMECA_NOISEBURST", "LAR_EMECC_NOISEBURST", "LAR_DATACORRUPT", "LAR_EMBA_HVTRIP"]
    names += [f"LAR_SECTOR{number:02}_OFF" for number in range(60)]
    new = [NewDefect(name=name, system="LAR", intolerable=name == "LAR_DATACORRUPT") for name in names]
    defects.define_defects(actor=None, definitions=new)
    virtual = NewDefect(name="PHYS_ALL_GOOD", system="LAR", expression=" or ".join(names))
    defects.define_defects(actor=None, definitions=[virtual])
    recorded = [80.0] * LUMISECTIONS
    for run in range(FIRST_RUN, FIRST_RUN + 5 * rounds):
        runs.put_run(actor=None, run=run, facts={"lumisections": LUMISECTIONS, "ended_at": "2018-05-15T08:00:00Z"})
        runs.put_lumisections(actor=None, run=run, columns={"recorded_inv_nb": recorded})
    client = Client()
    client.force_login(user)
    return {"cookie": client.cookies["sessionid"].value, "ranges": scattered(random.Random(seed))}


def scattered(chance: random.Random) -> list[tuple[int, int]]:
    """Twelve ranges of one to four lumisections, none of which touch."""
    step = LUMISECTIONS // RANGES
    firsts = [number * step + chance.randint(3, step - 8) for number in range(RANGES)]
    return [(first, first + chance.choice((0, 0, 1, 3))) for first in firsts]


def text_of(ranges: list[tuple[int, int]]) -> str:
    return " ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in ranges)


# -- five ways ---------------------------------------------------------------------------------------------


Ranges = list[tuple[int, int]]
Way = Callable[[Hand, int, Ranges], None]


def by_keyboard(hand: Hand, run: int, ranges: Ranges) -> None:
    """The form of the page, the ranges typed one by one."""
    _choose_defect(hand, key="d")
    hand.press("Tab")
    _type_ranges(hand, ranges)
    hand.press("Tab", "Tab")
    _comment_and_record(hand)


def by_keyboard_pasting(hand: Hand, run: int, ranges: Ranges) -> None:
    """The same, where the ranges stand ready in another window."""
    _choose_defect(hand, key="d")
    hand.press("Tab")
    hand.think()
    hand.paste(text_of(ranges))
    hand.press("Tab", "Tab")
    _comment_and_record(hand)


def by_dragging(hand: Hand, run: int, ranges: Ranges) -> None:
    """Zoomed in until a lumisection can be hit, the numbers dragged along, each range dragged."""
    strip = Strip(hand.page)
    hand.think()
    while strip.pixels < WIDE_PX:
        hand.press("+")
        strip.settle()
    while strip.first > 1:  # the zoom is about the middle: back to the beginning
        _pan(hand, strip, forward=False)
    for place, (first, last) in enumerate(ranges):
        while last > strip.last - 1:
            _pan(hand, strip, forward=True)
        hand.think()
        if place == 1:
            hand.hold("Control")
        hand.drag(strip.at(first), strip.at(last)) if last > first else hand.tap(strip.at(first))
    hand.page.keyboard.up("Control")
    hand.click(hand.page.locator("#record-form").get_by_label("defect", exact=True))
    _choose_defect(hand, key="")
    hand.press("Tab", "Tab", "Tab")
    _comment_and_record(hand)


def _pan(hand: Hand, strip: Strip, *, forward: bool) -> None:
    """By nearly all that is shown."""
    left, right = strip.edges
    hand.drag((right, strip.y_of_numbers), (left, strip.y_of_numbers)) if forward else hand.drag(
        (left, strip.y_of_numbers), (right, strip.y_of_numbers)
    )
    strip.settle()


def by_upload_text(hand: Hand, run: int, ranges: Ranges) -> None:
    """The whole line typed on the page for upload texts."""
    _open_upload(hand, run)
    hand.think()
    hand.type(f"@{run}", "code")
    hand.press("Enter")
    hand.think()
    hand.type(f"{DEFECT} R ", "code")
    _type_ranges(hand, ranges)
    hand.think()
    hand.type(f" # {COMMENT}", "word")
    _preview_and_record(hand)


def by_pasted_upload_text(hand: Hand, run: int, ranges: Ranges) -> None:
    """The whole text stands ready in another window."""
    _open_upload(hand, run)
    hand.think()
    hand.paste(f"@{run}\n{DEFECT} R {text_of(ranges)} # {COMMENT}")
    _preview_and_record(hand)


def _choose_defect(hand: Hand, key: str) -> None:
    from playwright.sync_api import expect

    hand.think()
    if key:
        hand.press(key)
    hand.type("lar noi", "code")
    with hand.waiting():
        hand.press("Enter")
        expect(hand.page.locator("#record-form").get_by_label("defect", exact=True)).to_have_value(DEFECT)


def _type_ranges(hand: Hand, ranges: Ranges) -> None:
    for place, one in enumerate(ranges):
        hand.think()
        hand.type(("" if not place else " ") + text_of([one]), "code")


def _comment_and_record(hand: Hand) -> None:
    from playwright.sync_api import expect

    hand.think()
    hand.type(COMMENT, "word")
    hand.think()  # what it would change stands beside the form
    with hand.waiting():
        hand.press("Control+Enter")
        expect(hand.page.locator("#record-form")).to_contain_text(f"{DEFECT} is recorded as present on")


def _open_upload(hand: Hand, run: int) -> None:
    with hand.loading():
        hand.click(hand.page.locator("#defects").get_by_role("link", name="upload text"))
        hand.page.locator("textarea[name=text]").wait_for()
    hand.click(hand.page.locator("textarea[name=text]"))
    hand.page.locator("textarea[name=text]").fill("")  # it offers the run already; typed here, as elsewhere


def _preview_and_record(hand: Hand) -> None:
    record = hand.page.get_by_role("button", name="Record 1 line")
    with hand.waiting():
        hand.click(hand.page.get_by_role("button", name="Preview"))
        record.wait_for()
    hand.think()
    with hand.loading():
        hand.click(record)
        hand.page.get_by_text("1 line").first.wait_for()
        record.wait_for(state="detached")


WAYS: dict[str, Way] = {
    "form, keyboard": by_keyboard,
    "form, ranges pasted": by_keyboard_pasting,
    "form, ranges dragged": by_dragging,
    "upload text, typed": by_upload_text,
    "upload text, pasted": by_pasted_upload_text,
}


# -- around them --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """`machine_s` is the median over the rounds; the person's seconds are those of the two hands, machine left out."""

    way: str
    keys: int
    clicks: int
    drags: int
    page_loads: int
    changes_of_hand: int
    thoughts: int
    machine_s: float
    skilled_s: float
    slower_s: float

    def text(self) -> str:
        counts = (self.keys, self.clicks, self.drags, self.page_loads, self.changes_of_hand, self.thoughts)
        numbers = " ".join(f"{count:>6}" for count in counts)
        total = f"{self.skilled_s + self.machine_s:>7.0f} - {self.slower_s + self.machine_s:<4.0f}"
        return f"{self.way:<22} {numbers} {self.machine_s:>8.2f} {total}"


def measure(server: Server, cookie: str, ranges: Ranges, rounds: int) -> Iterator[Line]:
    from playwright.sync_api import sync_playwright

    address = f"http://127.0.0.1:{server.port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context(base_url=address, viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": address}])
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"/runs/{FIRST_RUN}/")  # fills the cache
        for place, (name, way) in enumerate(WAYS.items()):
            hands = []
            for number in range(rounds):
                run = FIRST_RUN + place * rounds + number
                page.goto(f"/runs/{run}/")
                page.locator(".strip.drawn").wait_for()
                hand = Hand(page)
                way(hand, run, ranges)
                check(page, run, ranges)
                hands.append(hand)
            yield line(name, hands)
        browser.close()


def check(page: Page, run: int, ranges: Ranges) -> None:
    """What was recorded is what was meant."""
    answer = page.request.get(f"/api/v1/runs/{run}/defects/?defect={DEFECT}").json()
    (defect,) = answer["defects"]
    told = {each["comment"] for each in defect["intervals"]}
    if (defect["present"], told) != (text_of(ranges), {COMMENT}):
        raise SystemExit(f"run {run}: recorded {defect['present']} ({told}), meant {text_of(ranges)}")


def line(name: str, hands: list[Hand]) -> Line:
    counts = hands[0].counts
    return Line(
        way=name,
        keys=counts["K word"] + counts["K code"],
        clicks=counts["clicks"],
        drags=counts["drags"],
        page_loads=counts["page loads"],
        changes_of_hand=counts["H"],
        thoughts=counts["M"],
        machine_s=statistics.median(hand.waited for hand in hands),
        skilled_s=hands[0].seconds(SKILLED_K),
        slower_s=hands[0].seconds(SLOWER_K),
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What it takes to record a defect at twelve ranges.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    if options.prepare:
        import django

        django.setup()
        print(json.dumps(prepare(options.seed, rounds)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "DJANGO_SETTINGS_MODULE": "certifier.settings", **os.environ,
            "CERTIFIER_VAR": folder, "SECRET_KEY": "benchmark", "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
        }  # fmt: skip
        given: dict[str, Any] = {"cwd": ROOT, "env": environment, "stdin": subprocess.DEVNULL}
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], check=True, **given)
        command = [sys.executable, "-m", "benchmarks.bench_recording_actions", "--prepare", "--seed", str(options.seed)]
        command += ["--quick"] if options.quick else []
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, **given)
        world = json.loads(done.stdout.decode().strip().splitlines()[-1])
        ranges = [(first, last) for first, last in world["ranges"]]
        with serving(environment) as server:
            lines = list(measure(server, world["cookie"], ranges, rounds))
    heads = " ".join(f"{head:>6}" for head in ("keys", "clicks", "drags", "loads", "H", "M"))
    print(f"{text_of(ranges)}\n{'':<22} {heads} {'machine':>8} {'in all, s (estimated)'}")
    for one in lines:
        print(one.text())
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in lines], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
