"""What a model says of a run, on the page of the run: a lane under its system, and what it wants people to look at."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.defects import services as defects
from certifier.lumi import LumiSet
from tests.precert import world
from tests.precert.world import NOISE, RUN
from tests.web.experiment import part, words

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]


def shown(client: Client, query: str = "") -> str:
    return client.get(f"/runs/{RUN}/{query}").content.decode()


def test_the_lane_tells_every_verdict_in_words(page: Page, ada: User, lar: System) -> None:
    scoring = world.score(world.champion(lar), world.take(system=lar, noise="5-9", only="1-38"))
    strip = part(shown(page(ada)), "strip")
    assert 'aria-label="machine: not scored 39-40; good 1-4' in strip
    assert "bad 5-9" in strip
    assert f"{scoring.findings.count()} to review" in words(strip)
    assert 'title="LAR model 1, mode assist; on express_express"' in strip
    assert "machine: ● good ■ bad ▲ unsure ◇ not scored" in words(strip)
    # Ada is expert of LAR: her system is unfolded.
    assert '<details data-fold="LAR" open>' in strip


def test_findings_say_what_why_and_what_is_at_stake(page: Page, ben: User, lar: System) -> None:
    version = world.register(lar, folder=world.knowing_folder())
    from certifier.precert import services

    services.promote(actor=None, version=version)
    dataset = world.take(system=lar, noise="5-9")
    world.take(1008, 30, system=lar)
    world.score(version, dataset)
    findings = part(shown(page(ben)), "findings")
    said = words(findings)
    assert f"■ bad LAR 5-9 {NOISE}? LAr/cellTime" in said
    assert "pull" in said
    assert "calorimeter 100%" in said
    stake = float(world.luminosity(40)[4:9].sum())
    assert f"{stake:.0f} /nb" in said
    # A similar case of a run that is known here is a link; of another one it is not.
    assert findings.count("looks like") >= 1
    assert 'href="/runs/1008/"' in findings
    assert 'href="/runs/1018/"' not in findings


def test_a_run_that_nobody_scored_shows_it(page: Page, ben: User, lar: System) -> None:
    world.champion(lar)
    world.take(system=lar)
    html = shown(page(ben))
    assert 'aria-label="machine: not scored 1-40' in html
    assert 'id="findings"' not in html


def test_a_system_without_a_model_has_no_lane(page: Page, ben: User, lar: System) -> None:
    world.register(lar)
    world.take(system=lar)
    assert "machine" not in words(shown(page(ben)))


def test_it_says_when_histograms_came_since(page: Page, ben: User, lar: System) -> None:
    world.score(world.champion(lar), world.take(system=lar))
    world.send(system=lar, noise="5-9")
    assert "histograms came since" in shown(page(ben))


def test_a_tag_was_frozen_without_machines(page: Page, ben: User, lar: System) -> None:
    defects.define_defects(actor=None, definitions=[defects.NewDefect(name=NOISE, system="LAR", description="Noise.")])
    world.score(world.champion(lar), world.take(system=lar, noise="5-9"))
    defects.create_tag(actor=None, name="pro22-01")
    assert 'id="findings"' in shown(page(ben))
    assert "Machine findings" not in shown(page(ben), "?tag=pro22-01")


def test_a_chosen_system_shows_its_own_findings(page: Page, ben: User, lar: System, pixel: System) -> None:
    scoring = world.score(world.champion(lar), world.take(system=lar, noise="5-9"))
    assert LumiSet.parse("5-9") <= scoring.bad
    assert "Machine findings" in shown(page(ben), "?system=LAR")
    assert "Machine findings" not in shown(page(ben), "?system=PIXEL")
