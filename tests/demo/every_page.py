"""Every page of the program on the loaded demo, as addresses and as files that a browser can read."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any, Final

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from certifier.accounts.models import System
from certifier.demo.world import SHOWCASE
from certifier.goodruns.models import GoodRunList
from certifier.ops.models import Job
from certifier.precert.selectors import champion_of
from certifier.review.models import Item, ItemState

LOADED: Final = re.compile(r'(?:src|href|data-plotly)="(/static/[^"]+)"')
# What a page asks for by itself, as soon as it is there.
ASKED: Final = re.compile(r'hx-get="(/[^"]+)"[^>]*hx-trigger="load')
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


def save(client: Client, folder: Path) -> None:
    """All pages, with what they load, as files with an index of addresses: `reading_with_axe` reads them in a process
    of its own. A browser in this one would take the transaction of the test for somebody else's."""
    found = pages()
    answers: dict[str, dict[str, Any]] = {}
    waiting: list[tuple[str, dict[str, str]]] = [(address, {}) for address in found.values()]
    while waiting:
        address, headers = waiting.pop()
        if address in answers:
            continue
        given = client.get(address, headers=headers)
        body = b"".join(given.streaming_content) if given.streaming else given.content  # type: ignore[attr-defined]
        file = folder / str(len(answers))
        file.write_bytes(body)
        answers[address] = {"status": given.status_code, "file": file.name, "type": given.headers["Content-Type"]}
        if given.headers["Content-Type"].startswith("text/html"):
            text = body.decode()
            waiting += [(part, {}) for part in LOADED.findall(text)]
            waiting += [(unescape(part), {"HX-Request": "true"}) for part in ASKED.findall(text)]
    (folder / "index.json").write_text(json.dumps({"pages": found, "answers": answers}))
