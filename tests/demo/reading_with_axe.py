"""`python -m tests.demo.reading_with_axe FOLDER CHROMIUM`: what axe finds serious or critical on pages saved there.

Prints a JSON object, complaints by page: WCAG 2.2, A and AA, in light, and contrast in dark as well. Pages answer from
their files only; what was not saved is not there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

BASE: Final = "http://testserver"
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# The two upper ones of the four grades of axe.
SERIOUS: Final = {"serious", "critical"}
ARGUMENTS: Final = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip


def main(folder: Path, chromium: str) -> dict[str, list[str]]:
    index = json.loads((folder / "index.json").read_text())

    def answer(route: Route) -> None:
        asked = urlsplit(route.request.url)
        address = f"{asked.path}?{asked.query}" if asked.query else asked.path
        known = index["answers"].get(address)
        if known is None:
            route.fulfill(status=404)
        else:
            body = (folder / known["file"]).read_bytes()
            route.fulfill(status=known["status"], body=body, content_type=known["type"])

    found = {}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        context = browser.new_context(base_url=BASE, reduced_motion="reduce", viewport={"width": 1280, "height": 900})
        context.route("**/*", answer)
        page = context.new_page()
        for name, address in index["pages"].items():
            page.emulate_media(color_scheme="light")
            page.goto(address, wait_until="networkidle")
            page.evaluate(AXE_SCRIPT)
            found[name] = complaints(page, RULES)
            page.emulate_media(color_scheme="dark")
            found[name] += [f"in dark: {each}" for each in complaints(page, ["color-contrast"])]
        browser.close()
    return found


def complaints(page: Page, rules: list[str]) -> list[str]:
    """A line for each rule that the page breaks as it is now, with the first places."""
    found = page.evaluate("rules => axe.run(document, {resultTypes: ['violations'], runOnly: rules})", rules)
    return [
        f"{each['id']} ({each['impact']}): {', '.join(str(node['target']) for node in each['nodes'][:5])}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2])))
