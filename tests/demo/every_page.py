"""Every page of the program on the loaded demo, and a browser that reads them out of a test's own transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from certifier.accounts.models import System
from certifier.demo.world import SHOWCASE
from certifier.goodruns.models import GoodRunList
from certifier.ops.models import Job
from certifier.precert.selectors import champion_of
from certifier.review.models import Item, ItemState

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

BASE: Final = "http://testserver"
#: WCAG 2.2, levels A and AA, in the words of axe
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
#: the two upper ones of the four grades of axe
SERIOUS: Final = {"serious", "critical"}

#: names that answer no page of their own: they act and lead on, give a part of a page or a file, or are for who is not
#: signed in
NO_PAGE: Final = {
    "web:record", "web:preview", "web:choices", "web:undo", "accounts:login", "accounts:logout", "accounts:make_token",
    "accounts:revoke_token", "accounts:save_filter", "accounts:forget_filter", "training:train", "training:pause",
    "training:resume", "precert:promote", "precert:shadow", "precert:retire", "precert:set-mode", "precert:pause",
    "precert:roll-back", "training:left-out", "training:now", "watch:look", "queue:next", "queue:evidence",
    "queue:not-scored", "queue:decide", "queue:skip", "queue:comment", "queue:claim", "queue:renew", "queue:release",
    "queue:take-over", "queue:undo", "review:sign", "review:reopen", "goodruns:build-efficiency",
    "goodruns:golden-json", "goodruns:grl-xml", "goodruns:csv", "goodruns:efficiency", "goodruns:compare",
    "histograms:champion", "precert:curves", "trends:points", "trends:keep", "trends:put-away", "notices:read",
    "notices:open", "notices:webhook", "notices:test", "notices:switch", "notices:renew-secret", "notices:send-again",
    "sync:follow", "ops:start_again", "ops:acknowledge", "healthz", "readyz", "metrics", "api-docs",
}  # fmt: skip


def pages() -> dict[str, str]:
    """Address by name of page."""
    element = "LAr/EMBA/cellTime"
    first, second, *_ = GoodRunList.objects.order_by("pk").values_list("pk", flat=True)
    champion = champion_of(System.objects.get(code="LAR"))
    assert champion is not None
    item = Item.objects.filter(system__code="LAR", state=ItemState.OPEN).earliest("pk")
    of_run = ("web:run", "web:range-history", "histograms:run", "associations:samples")
    of_system = (
        "training:system", "training:recipe", "watch:guarantee", "associations:map",
    )  # fmt: skip
    arguments: dict[str, dict[str, Any]] = {
        **{name: {"number": SHOWCASE} for name in of_run},
        **{name: {"code": "LAR"} for name in of_system},
        "precert:model": {"pk": champion.pk},
        "accounts:person": {"username": "ada"},
        "defects:definition": {"name": "PHYS_ALL_GOOD"},
        "defects:edit": {"name": "PHYS_ALL_GOOD"},
        "defects:history": {"run": SHOWCASE},
        "defects:tag": {"name": "pro22-02"},
        "defects:tag_diff": {"a": "pro22-01", "b": "pro22-02"},
        "histograms:element": {"number": SHOWCASE, "path": element},
        "associations:defect": {"name": "LAR_DATACORRUPT"},
        "associations:element": {"path": element},
        "queue:item": {"pk": item.pk},
        "review:checklist": {"system": "LAR", "stage": "bulk"},
        "review:stage": {"run": SHOWCASE, "system": "LAR", "stage": "bulk"},
        "goodruns:list": {"pk": first},
        "goodruns:diff": {"a": first, "b": second},
        "ops:job": {"pk": Job.objects.latest("pk").pk},
    }
    asked = {
        "defects:sightings": "?defect=LAR_DATACORRUPT",
        "goodruns:build": "?require=PHYS_ALL_GOOD",
        "trends:draw": "?draw=recorded%20/%20delivered%20:%20start%20:%20pileup",
        "web:run": "?ls=400-440&unfold=LAR",
    }
    return {name: reverse(name, kwargs=arguments.get(name)) + asked.get(name, "") for name in sorted(names() - NO_PAGE)}


def names() -> set[str]:
    """Of every address of the program but those of REST and of the administration of Django."""
    return {name for name in _names(get_resolver(), ()) if not name.startswith(("api:", "admin:"))}


def _names(resolver: URLResolver, spaces: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    for each in resolver.url_patterns:
        if isinstance(each, URLPattern):
            found.add(":".join((*spaces, str(each.name))))
        else:
            found |= _names(each, (*spaces, each.namespace) if each.namespace else spaces)
    return found


def reading(browser: Browser, client: Client) -> Page:
    """A page of a browser that asks this client instead of a server, which would not see what is rolled back."""
    context = browser.new_context(
        base_url=BASE, color_scheme="light", reduced_motion="reduce", viewport={"width": 1280, "height": 900}
    )

    def answer(route: Route) -> None:
        asked = urlsplit(route.request.url)
        sent = {name: value for name, value in route.request.headers.items() if name.startswith("hx-")}
        given = client.get(f"{asked.path}?{asked.query}", headers=sent)
        body = b"".join(given.streaming_content) if given.streaming else given.content  # type: ignore[attr-defined]
        route.fulfill(status=given.status_code, body=body, headers=dict(given.headers))

    context.route("**/*", answer)
    page = context.new_page()
    page.set_default_timeout(60_000)
    return page


def complaints(page: Page, rules: list[str]) -> list[str]:
    """What axe finds serious or critical on the page as it is, a line for each rule with its first places."""
    if not page.evaluate("typeof window.axe !== 'undefined'"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate("rules => axe.run(document, {resultTypes: ['violations'], runOnly: rules})", rules)
    return [
        f"{each['id']} ({each['impact']}): {', '.join(str(node['target']) for node in each['nodes'][:5])}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]
