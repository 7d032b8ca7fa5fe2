"""What the script of the strip gets to draw: the same as the server's lanes, with who said what when."""

from __future__ import annotations

import gzip
import json
import random
from typing import Any

import pytest

from certifier.accounts.models import System, User
from certifier.defects import services as defects
from certifier.defects.services import NewDefect, NewEntry
from certifier.runs import services as runs
from tests.defects.builders import Page
from tests.precert import world
from tests.web import experiment
from tests.web.experiment import RUN

pytestmark = pytest.mark.django_db

OPENING = '<script id="strip-data" type="application/json">'


def shown(page: Page, person: User, query: str = "") -> str:
    return str(page(person).get(f"/runs/{RUN}/{query}").content.decode())


def data_of(html: str) -> dict[str, Any]:
    start = html.index(OPENING) + len(OPENING)
    found: dict[str, Any] = json.loads(html[start : html.index("</script>", start)])
    return found


def test_every_lane_that_is_drawn_has_its_data(systems: object, page: Page, ada: User, ben: User) -> None:
    experiment.define()
    experiment.take()
    experiment.record("LAR_DATACORRUPT", "11-15", actor=ben, comment="FEB data </script> corrupted")
    experiment.record("LAR_NOISEBURST", "3 7-9", actor=ada, recoverable=True)
    html = shown(page, ada)
    data = data_of(html)
    places = {part.split('"')[0] for part in html.split('data-lane="')[1:]} - {"luminosity"}
    assert places == set(data["lanes"])
    assert data["last"] == 100
    assert data["columns"]["recorded_inv_nb"] == [10.0] * 100
    corrupt = data["lanes"]["defect:LAR_DATACORRUPT"]
    [[kind, where, said]] = corrupt["parts"]
    assert (corrupt["intolerable"], kind, where) == (True, "int", "11-15")
    state, user, when, comment = data["said"][said]
    assert (state, user, comment) == ("present", "ben", "FEB data </script> corrupted")
    assert when.startswith("20")
    assert data["lanes"]["defect:LAR_NOISEBURST"]["parts"][0][:2] == ["tol", "3 7-9"]
    assert data["lanes"]["system:LAR"]["of"] == ["defect:LAR_DATACORRUPT", "defect:LAR_NOISEBURST"]
    assert data["lanes"]["good"]["parts"] == [["bad", "11-15", "present"]]
    assert data["lanes"]["flag:stable_beams"]["parts"] == [["flag", "5-100", "set"]]


def test_absent_has_lanes_when_it_is_asked_for(systems: object, page: Page, ada: User) -> None:
    experiment.define()
    experiment.take()
    experiment.record("LAR_NOISEBURST", "3", present=False, comment="Not seen any more")
    assert "defect:LAR_NOISEBURST" not in data_of(shown(page, ada))["lanes"]
    data = data_of(shown(page, ada, "?absent=true"))
    [[kind, where, said]] = data["lanes"]["defect:LAR_NOISEBURST"]["parts"]
    assert (kind, where, data["said"][said][0]) == ("absent", "3", "absent")


def test_verdicts_and_decisions_are_there(page: Page, ada: User, lar: System, settings: Any) -> None:
    from certifier.review.deciding import decide
    from tests.review.queue_world import CORRUPT, F, define, queue

    settings.REVIEW_AUDIT_SHARE = settings.REVIEW_BLIND_SHARE = 0.0
    define(lar)
    [item] = queue(lar, F("30-41", "unsure", CORRUPT))
    decide(actor=ada, item=item, verdict="confirm", comment="Seen in the elog")
    data = data_of(shown(page, ada))
    lane = data["lanes"]["decided:LAR"]
    [[kind, where, said]] = lane["parts"]
    assert (kind, where) == ("bad", "30-41")
    assert data["said"][said][0::3] == ["decided bad", "Seen in the elog"]
    assert {verdict for _, _, verdict in data["lanes"]["machine:LAR"]["parts"]} >= {"unsure"}


def test_a_real_model_has_its_scores_with_where_verdicts_begin(page: Page, ada: User, lar: System) -> None:
    scoring = world.score(world.champion(lar), world.take(system=lar, noise="5-9", only="1-38"))
    lane = data_of(shown(page, ada))["lanes"]["score:LAR"]
    assert lane["scores"][:38] == [round(1000 * score) for score in scoring.scores.tolist()[:38]]
    assert lane["scores"][38:] == [None, None]
    thresholds = dict(lane["thresholds"])
    assert 0 < thresholds["good"] <= thresholds["bad"] < 1


def test_lumisections_of_the_address_are_chosen(systems: object, page: Page, ada: User) -> None:
    experiment.define()
    experiment.take()
    assert 'name="lumisections" value="11-15 20"' in shown(page, ada, "?ls=11-15+20")
    refused = page(ada).get(f"/runs/{RUN}/?ls=200-300")
    assert refused.status_code == 400
    assert page(ada).get(f"/runs/{RUN}/?ls=nonsense").status_code == 400


def test_a_long_run_with_a_hundred_defects_is_no_heavy_page(systems: object, page: Page, ada: User) -> None:
    """Below 100 kB compressed, so that with Plotly (496 kB) it stays below 600 kB."""
    chance = random.Random(4)
    names = [f"LAR_DEFECT{number:02}" for number in range(100)]
    new = [NewDefect(name=name, system="LAR", intolerable=chance.random() < 0.3) for name in names]
    defects.define_defects(actor=None, definitions=new)
    experiment.take(lumisections=2000)
    columns = {name: [chance.uniform(10, 300) for _ in range(2000)] for name in ("recorded_inv_nb", "pileup")}
    runs.put_lumisections(actor=None, run=RUN, columns=columns)
    entries = [
        NewEntry(
            run=RUN,
            defect=name,
            lumisections=" ".join(str(chance.randint(1, 2000)) for _ in range(6)),
            comment=f"sector {chance.randrange(64)} tripped",
        )
        for name in names
        for _ in range(3)
    ]
    defects.record_entries(actor=None, entries=entries, source="page")
    assert len(gzip.compress(shown(page, ada).encode(), 6)) < 100_000
