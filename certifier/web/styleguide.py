"""The living style page: every part of the design on one page, over invented numbers.

What it shows is what the visual tests look at; docs/design.md says how to use each part.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from certifier.lumi import LumiSet
from certifier.web.templatetags.marks import SHAPES

LAST = 719
STABLE = LumiSet.parse("65-717")
READY = LumiSet.parse("65-429 433-717")
NOISE_A = LumiSet.parse(
    "69 75 78 118 123 142 150 154 161 165-166 169-171 176 206 224 227 250 257 279 283 297 308 323 "
    "331 343 353 361 368 374-376 379 381 385-388 392-393 403 405-407 413 427 441-442 447 455-456 "
    "467-468 480 516 532 550 592 599 613 633-635 640 645 651 660 666 712-713"
)
NOISE_C = LumiSet.parse(
    "125 140 165 167 173 180 190 203 211-212 215 218 221 228 235 257 261 276 280 298-299 311 324 334 "
    "345 352 376 404-405 408 418 433 442-443 445-446 457 467 488 519 546 572 593 611 634 660 711"
)
BUSY = LumiSet.parse("1-7 12-16 49 456 501 547 608 613 658")
NOT_READY = LumiSet.parse("1-64 718-719")
CORRUPT = LumiSet.parse("117 118-132 133 199 717")
EMBA_CORRUPT = LumiSet.parse("118-132")
WHOLE = LumiSet.whole(LAST)

UNSURE = LumiSet.parse("165-176 375-404 440-446 643-651")
SURE_BAD = LumiSet.parse("117-133")
UNSCORED = LumiSet.parse("1-64 717-719")

TOKENS = [
    ("--bg", "page"),
    ("--panel", "cards"),
    ("--inset", "insets"),
    ("--line", "hairlines"),
    ("--line2", "faint lines, pills"),
    ("--edge", "edges of controls"),
    ("--ink", "text"),
    ("--ink2", "secondary text"),
    ("--accent", "action, selection, data"),
    ("--good", "good"),
    ("--bad", "bad"),
    ("--unsure", "unsure"),
    ("--none", "not scored"),
    ("--tolerable", "nobody requires it"),
    ("--luminosity", "luminosity"),
    ("--flag", "condition flags"),
]


def choices(*words: str) -> list[tuple[str, str]]:
    return [(word, word) for word in words]


class SampleDefectForm(forms.Form):
    defect = forms.ChoiceField(label="defect", choices=choices("LAR_EMBA_DATACORRUPT", "LAR_DATACORRUPT"))
    lumisections = forms.CharField(label="lumisections", help_text="For example 118-132 140 700-End.")
    state = forms.ChoiceField(
        label="state",
        choices=choices("present", "recoverable", "absent"),
        widget=forms.RadioSelect,
        initial="present",
    )
    comment = forms.CharField(label="comment", required=False, widget=forms.Textarea(attrs={"rows": 2}))
    notify = forms.BooleanField(required=False, label="tell the experts of LAR")


class SampleFilterForm(forms.Form):
    runs = forms.CharField(
        label="runs",
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "358031-364292", "data-search": ""}),
    )
    period = forms.ChoiceField(label="period", required=False, choices=[("", "all"), *choices("K", "L")])
    fill = forms.IntegerField(label="fill", required=False)


class SampleChoicesForm(forms.Form):
    stages = forms.MultipleChoiceField(
        label="stages",
        choices=choices("express", "bulk", "final"),
        widget=forms.CheckboxSelectMultiple,
        help_text="In the order of work.",
    )
    upload = forms.FileField(required=False, label="upload text")


def decay(number: int) -> float:
    """Recorded luminosity of a lumisection of the sample run, in inverse nanobarn."""
    if number not in READY:
        return 0.6 if number in NOT_READY else 4.0
    return 118.0 * math.exp(-number / 900) + 1.5 * math.sin(number * 2.3)


def sample_rows() -> list[dict[str, Any]]:
    """(name, lumisections, intolerable, recoverable, by, minute of the entry)"""
    rows = [
        ("GLOBAL_BUSY", BUSY, False, "–", "sys:calculator", 41),
        ("GLOBAL_NOTREADY", NOT_READY, True, "not recoverable", "sys:calculator", 45),
        ("LAR_DATACORRUPT", CORRUPT, True, "not recoverable", "ada", 45),
        ("LAR_EMBA_DATACORRUPT", EMBA_CORRUPT, True, "not recoverable", "ada", 40),
        ("LAR_EMECA_NOISEBURST", NOISE_A, False, "recoverable", "ada", 40),
        ("LAR_EMECC_NOISEBURST", NOISE_C, False, "recoverable", "ada", 40),
        ("EGAMMA_ETAPHI_SPIKES", WHOLE, False, "–", "ada", 40),
    ]
    names = ("name", "lumisections", "intolerable", "state", "by")
    return [
        {**dict(zip(names, row[:-1], strict=True)), "at": datetime(2018, 5, 15, 9, row[-1], 3, tzinfo=UTC)}
        for row in rows
    ]


def node(name: str, reading: str = "", *children: dict[str, Any], intolerable: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "reading": reading,
        "url": "#tree",
        "children": children,
        "intolerable": intolerable,
        "open": True,
    }


def sample_tree() -> list[dict[str, Any]]:
    barrel = node(
        "EMBA",
        "virtual",
        node("LAR_EMBA_DATACORRUPT", "15 LS", intolerable=True),
        node("LAR_EMBA_HVTRIP", "0 LS"),
    )
    jets = node("PHYS_CombinedPerf_Jets", "virtual", node("JET_LOWOCCUPANCY")) | {"open": False}
    return [node("Physics_AllGood", "virtual · 40 primaries", barrel, node("LAR_DATACORRUPT")), jets]


def sample_plot() -> dict[str, Any]:
    systems = ["LAR", "PIXEL", "SCT", "TILE", "TRIG_L1", "MDT", "GLOBAL"]
    lost = [0.87, 0.84, 0.28, 0.38, 0.22, 0.07, 0.06]
    recoverable = [0.55, 0.1, 0.33, 0.0, 0.0, 0.04, 0.0]
    bars = [
        {"type": "bar", "x": systems, "y": lost, "name": "for good", "marker": {"color": "var(--bad)"}},
        {
            "type": "bar",
            "x": systems,
            "y": recoverable,
            "name": "recoverable",
            "marker": {"color": "var(--unsure)"},
        },
    ]
    return {"data": bars, "layout": {"barmode": "stack", "yaxis": {"title": {"text": "lost, /pb"}}}}


def sample_strip() -> dict[str, Any]:
    good = WHOLE - UNSURE - SURE_BAD - UNSCORED
    return {
        "last": LAST,
        "selected": EMBA_CORRUPT,
        "recorded": [decay(number) for number in range(1, LAST + 1)],
        "stable": STABLE,
        "ready": READY,
        "busy_sum": BUSY | NOT_READY,
        "busy": BUSY,
        "lar_sum": CORRUPT | NOISE_A | NOISE_C,
        "corrupt": CORRUPT,
        "emba": EMBA_CORRUPT,
        "noise_a": NOISE_A,
        "noise_c": NOISE_C,
        "whole": WHOLE,
        "machine": [
            (UNSCORED, "none", "not scored"),
            (good, "good", "good"),
            (SURE_BAD, "bad", "bad"),
            (UNSURE, "unsure", "unsure"),
        ],
    }


def sample_forms() -> dict[str, forms.Form]:
    wrong = SampleDefectForm({"defect": "LAR_DATACORRUPT", "lumisections": "", "state": "absent"})
    wrong.add_error("lumisections", "“132-118” runs backwards: write the smaller number first.")
    wrong.add_error(None, "Ada recorded the same a minute ago; look at the history first.")
    comment = "FEB data corrupted, half barrel A"
    return {
        "form": SampleDefectForm(
            initial={"defect": "LAR_EMBA_DATACORRUPT", "lumisections": "118-132", "comment": comment}
        ),
        "wrong": wrong,
        "filter": SampleFilterForm(auto_id="filter_%s"),
        "choices": SampleChoicesForm({"stages": ["express"]}, auto_id="choices_%s"),
    }


FACTS = [
    ("project", "data18_13TeV"),
    ("fill", "6688"),
    ("lumisections", "719"),
    ("recorded", "58.3 /pb"),
    ("good for physics", "56.1 /pb · 96.2%", "Where every required virtual defect is absent."),
    ("signed", "14 of 19 systems"),
]
TABS = [
    {"name": "Defects", "url": "#", "current": True, "count": 10},
    {"name": "Sign-off", "url": "#"},
    {"name": "History", "url": "#", "count": 214},
]


def styleguide(request: HttpRequest) -> HttpResponse:
    """Every part of the design, for people to look at and for screenshots to compare."""
    context = {
        "facts": FACTS,
        "tabs": TABS,
        "rows": sample_rows(),
        "tree": sample_tree(),
        "sample_plot": sample_plot(),
        "sample_page": Paginator(range(1448), 100).page(7),
        "shares": [(47.2, "good", "reviewed"), (9.4, "unsure", "awaiting"), (1.7, "none", "not scored")],
        "states": list(SHAPES),
        "tokens": TOKENS,
        "moment": datetime(2018, 5, 15, 9, 41, 3, tzinfo=UTC),
        "recent": datetime.now(UTC) - timedelta(minutes=3),
        "tag": "Prod-2018-05",
        "tag_names": ["Prod-2018-05", "Prod-2018-04"],
    }
    return render(request, "web/styleguide.html", context | sample_strip() | sample_forms())
