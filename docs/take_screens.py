"""Every page of a served demo as a picture, light and dark, and docs/screens.md that shows them.

    make demo                                                      # in another terminal
    python docs/take_screens.py [--address http://127.0.0.1:8000]  # Debian's chromium is used

A page that answers with an error, runs a failing script or is wider than its screen ends it with a message.
"""

from __future__ import annotations

import argparse
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).parent / "screens"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip
WIDTH, HEIGHT, QUALITY = 1280, 900, 62
SETTLE_MS, ANSWER_MS = 1500, 120_000


@dataclass(frozen=True)
class Shot:
    name: str
    title: str
    address: str
    user: str = "ada"  # nobody signs in where it is empty
    # A button that asks a worker, where nobody has asked yet, and what is there once the worker has answered.
    asks: str = ""
    answered: str = ""
    # What is unfolded before the picture is taken.
    unfolds: str = ""


# The run whose page the users of ATLAS know stands first.
SHOTS = (
    Shot("sign-in", "Signing in", "/account/sign-in/?next=/runs/", ""),
    Shot("home", "Home: what waits for you", "/"),
    Shot("run", "A run: strip, findings, defects, sign-off", "/runs/350479/"),
    Shot("recording", "Recording a defect: its effect before it is recorded", "/runs/350479/?ls=400-440"),
    Shot("runs", "Runs, with ready-made and saved filters", "/runs/"),
    Shot("range-history", "Who said what when about some lumisections", "/runs/350479/history/?ls=100-140"),
    Shot("run-history", "Everything that was said about a run", "/defects/runs/350479/history/"),
    Shot("stage", "One stage of one system: what is open, the checklist", "/sign-offs/350479/LAR/bulk/"),
    Shot("sign-many", "Signing many runs, previewed", "/sign-offs/many/"),
    Shot("checklists", "Checklists of all systems", "/sign-offs/checklists/"),
    Shot("checklist", "Changing a checklist", "/sign-offs/checklists/LAR/bulk/"),
    Shot("review", "The review queue", "/review/"),
    Shot("review-many", "Confirming clear items together", "/review/bulk/"),
    Shot("agreement", "Agreement of experts with each other and with the machine", "/review/agreement/"),
    Shot("defects", "The catalogue of defects", "/defects/"),
    Shot("definition", "A virtual defect: dependency tree and use", "/defects/d/PHYS_ALL_GOOD/"),
    Shot("define", "Defining a defect", "/defects/define/"),
    Shot("edit", "Changing a definition, with what it would change", "/defects/d/CALO/edit/", "chi"),
    Shot("sightings", "Where a defect has been seen", "/defects/seen/?defect=LAR_DATACORRUPT"),
    Shot("upload", "Upload text", "/defects/upload/"),
    Shot("tags", "Tags: frozen moments", "/defects/tags/", "chi"),
    Shot("tag", "One tag", "/defects/tags/pro22-02/", "chi"),
    Shot("tag-diff", "What changed between two tags", "/defects/tags/pro22-01/diff/pro22-02/"),
    Shot("lists", "Good-run lists", "/good-runs/"),
    Shot("list", "A good-run list: loss and provenance", "/good-runs/1/"),
    Shot("build", "Building a good-run list", "/good-runs/build/?require=PHYS_ALL_GOOD", "chi"),
    Shot("list-diff", "What only one of two lists has", "/good-runs/1/diff/2/"),
    Shot("list-import", "A list from a file", "/good-runs/import/", "chi"),
    Shot("list-combine", "A list out of others", "/good-runs/combine/", "chi"),
    Shot("elements", "All monitoring elements", "/histograms/"),
    Shot("histograms", "The elements of a run, the oddest first", "/histograms/runs/350479/"),
    Shot("element", "One element, lumisection by lumisection", "/histograms/runs/350479/LAr/EMBA/cellTime/"),
    Shot(
        "forecast",
        "A rate in the bands of its forecast",
        "/histograms/runs/350549/Trigger/L1/L1_EM3/?ls=40-55",
        "chi",
        asks="Work it out",
        answered="figure[data-plot=champion-plot]",
    ),
    Shot(
        "finding",
        "A finding says where: a sector of an endcap, late",
        "/runs/350558/?system=TGC#findings",
        "chi",
        unfolds="#findings details",
    ),
    Shot(
        "samples",
        "Is a run like its reference?",
        "/associations/runs/350479/?system=LAR",
        "chi",
        asks="Compare now",
        answered="#lines-title",
    ),
    Shot(
        "run-map",
        "Which runs are alike",
        "/associations/map/LAR/?run=350479",
        "chi",
        asks="Draw now",
        answered="#runs-title",
    ),
    Shot("trends", "Trends", "/trends/"),
    Shot("trend", "One line draws anything", "/trends/draw/?draw=recorded%20/%20delivered%20:%20start%20:%20pileup"),
    Shot(
        "curve",
        "A curve with its errors, and whether to believe them",
        "/trends/draw/?draw=recorded%20/%20duration%20:%20pileup%20:%20run&per=lumisection&curve=on",
    ),
    Shot(
        "associations",
        "Which histograms move with a defect",
        "/associations/defects/LAR_DATACORRUPT/",
        "chi",
        asks="Compare now",
        answered="table",
    ),
    Shot(
        "element-defects",
        "Which defects an element moves with",
        "/associations/elements/LAr/EMBA/cellTime/",
        "chi",
        asks="Compare now",
        answered="table",
    ),
    Shot("models", "Models: champion, mode and guarantee of each system", "/models/", "chi"),
    Shot("model", "One model: what it learned from, its figures, acts on it", "/models/1/", "chi"),
    Shot("trainings", "Training of all systems", "/training/", "chi"),
    Shot("training", "Training: what was learned, and what the gate said", "/training/LAR/", "chi"),
    Shot("recipe", "Choosing a recipe", "/training/LAR/recipe/", "chi"),
    Shot("guarantees", "What each system promises, and what is realised", "/guarantees/"),
    Shot("guarantee", "A guarantee and what the blind audit says", "/guarantees/LAR/"),
    Shot("weekly", "The weekly report", "/reports/weekly/"),
    Shot("hand-over", "Shift hand-over", "/reports/shift/"),
    Shot("people", "People and their roles", "/account/people/", "chi"),
    Shot("person", "One person: roles given and taken", "/account/people/ben/", "chi"),
    Shot("account", "One's own page", "/account/"),
    Shot("notices", "Notices", "/notices/"),
    Shot("notice-settings", "What one wants to be told", "/notices/settings/"),
    Shot("webhooks", "Webhooks", "/notices/webhooks/", "chi"),
    Shot("sources", "Where runs come from", "/sources/"),
    Shot("jobs", "Background work", "/ops/jobs/"),
    Shot("job", "One job", "/ops/jobs/3/"),
    Shot("styleguide", "Every part of the design", "/styleguide/"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="http://127.0.0.1:8000")
    parser.add_argument("--only", nargs="*", help="names of some")
    options = parser.parse_args()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for theme in ("light", "dark"):
            for user in sorted({shot.user for shot in SHOTS}):
                take(browser, options, theme, user)
        browser.close()
    if not options.only:
        write_page()


def take(browser: Browser, options: Any, theme: Any, user: str) -> None:
    context = browser.new_context(
        base_url=options.address, color_scheme=theme, viewport={"width": WIDTH, "height": HEIGHT}
    )
    page = context.new_page()
    page.on("pageerror", _fail)
    if user:
        page.goto("/account/sign-in/")
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", "certifier")
        page.click("button[type=submit]")
    for shot in SHOTS:
        if shot.user != user or (options.only and shot.name not in options.only):
            continue
        answer = page.goto(shot.address)
        if answer is None or not answer.ok:
            raise SystemExit(f"{shot.address} answered {answer.status if answer else 'nothing'}.")
        if shot.asks and not page.locator(shot.answered).count():
            page.get_by_role("button", name=shot.asks).click()
            page.locator(shot.answered).first.wait_for(timeout=ANSWER_MS)
            page.goto(shot.address)
        page.wait_for_timeout(SETTLE_MS)
        if shot.unfolds:
            page.locator(shot.unfolds).evaluate_all("found => found.forEach(one => { one.open = true; })")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            raise SystemExit(f"{shot.address} is wider than {WIDTH} pixels.")
        picture = Image.open(io.BytesIO(page.screenshot()))
        picture.convert("RGB").save(FOLDER / f"{shot.name}-{theme}.webp", quality=QUALITY, method=6)
    context.close()


def _fail(error: Any) -> None:
    raise SystemExit(f"A script of the page failed: {error}")


def write_page() -> None:
    lines = [
        "# Screens",
        "",
        "Pages of the demo, light and dark, 1280 pixels wide. `python docs/take_screens.py` takes them anew.",
        "",
    ]
    for shot in SHOTS:
        pair = [f"![{shot.title}, {theme}](screens/{shot.name}-{theme}.webp)" for theme in ("light", "dark")]
        lines += [f"## {shot.title}", "", f"`{shot.address}`", "", "| light | dark |", "|---|---|",
                  f"| {pair[0]} | {pair[1]} |", ""]  # fmt: skip
    (FOLDER.parent / "screens.md").write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
