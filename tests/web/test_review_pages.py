"""The review queue without a script: every act is a form, every state of the queue an address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from certifier.accounts.models import System, User
from certifier.defects.models import Entry
from certifier.ops.models import Job, JobState
from certifier.review import claims, services
from certifier.review.deciding import decide
from certifier.review.intake import find_items
from certifier.review.models import Claim, Decision, Item, ItemState, Remark
from tests.precert import world
from tests.review.queue_world import CORRUPT, NOISE, RUN, F, champion, define, queue, score
from tests.web.experiment import words

Page = Callable[[User | None], Client]


@pytest.fixture(autouse=True)
def nothing_is_sampled(settings: Any) -> None:
    settings.REVIEW_AUDIT_SHARE = settings.REVIEW_BLIND_SHARE = settings.REVIEW_WHOLE_SHARE = 0.0


@pytest.fixture
def found(lar: System) -> list[Item]:
    define(lar)
    return queue(lar, F("5-9"), F("30-41", "unsure", CORRUPT), F("60-62", "unsure"))


def text_of(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, answer.content[-500:]
    return words(answer.content.decode())


def act(client: Client, address: str, **fields: str) -> Any:
    answer = client.post(address, fields, follow=True)
    return answer.status_code, words(answer.content.decode()), answer.redirect_chain


def test_it_opens_at_the_most_urgent_item_and_says_why(found: list[Item], page: Page, ada: User) -> None:
    text = text_of(page(ada), "/review/?all=1")
    assert f"Run {RUN} · 30-41 · looks like {CORRUPT}" in text
    assert "why here: 12 LS, 1.20 /pb, unsure for less than a minute" in text
    assert "reviewed 0% of luminosity awaiting 3 items · 2.00 /pb not scored ◇ 0 LS" in text
    assert "Review · LAR" in text, "she has one system, so it is named"


def test_a_decision_leads_to_the_next_item(found: list[Item], page: Page, ada: User) -> None:
    client = page(ada)
    address = f"/review/{found[1].pk}/decide/"
    status, text, chain = act(client, address, act="bad", lumisections="30-41", defect=CORRUPT, comment="seen")
    assert status == 200
    assert chain == [(f"/review/{found[2].pk}/", 302)]
    assert f"Saved: run {RUN}, 30-41, is bad." in text
    assert "Just decided" in text
    done = Decision.objects.get()
    assert (done.answer, done.comment, str(done.bad)) == ("confirm", "seen", "30-41")
    assert Claim.objects.get().item == found[2], "the next one is held"


def test_data_fine_ignores_the_defect_that_stands_there(found: list[Item], page: Page, ada: User) -> None:
    act(page(ada), f"/review/{found[0].pk}/decide/", act="good", lumisections="5-9", defect=NOISE)
    done = Decision.objects.get()
    assert (done.answer, str(done.good), str(done.bad)) == ("override", "5-9", "")


def test_another_defect_and_range_override(found: list[Item], page: Page, ada: User) -> None:
    act(page(ada), f"/review/{found[0].pk}/decide/", act="bad", lumisections="6-12", defect=CORRUPT)
    done = Decision.objects.get()
    assert (done.answer, str(done.bad), str(done.good)) == ("override", "6-12", "5")
    assert Entry.objects.get().defect.name == CORRUPT


def test_a_refusal_stands_at_the_form_with_what_was_typed(found: list[Item], page: Page, ada: User) -> None:
    fields = {"act": "bad", "lumisections": "5-900", "defect": NOISE, "comment": "long text"}
    answer = page(ada).post(f"/review/{found[0].pk}/decide/", fields)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="5-900" aria-invalid="true"' in text
    assert "long text</textarea>" in text
    assert not Decision.objects.exists()


def test_filters_stand_in_the_address_and_go_along(found: list[Item], page: Page, ada: User) -> None:
    client = page(ada)
    assert "· 5-9 ·" in text_of(client, f"/review/?system=lar&show=bad&run={RUN}")
    fields = {"act": "good", "system": "lar", "show": "unsure"}
    _, _, chain = act(client, f"/review/{found[1].pk}/decide/", **fields)
    assert chain == [(f"/review/{found[2].pk}/?system=lar&show=unsure", 302)]


def test_it_is_skipped_commented_and_taken_over(found: list[Item], page: Page, ada: User, chi: User) -> None:
    client, first = page(ada), found[1]
    claims.claim(actor=chi, item=first)
    assert "held by chi until" in text_of(client, f"/review/{first.pk}/")
    _, text, _ = act(client, f"/review/{first.pk}/take-over/", reason="Chi is on a plane.")
    assert "You hold it now." in text
    _, text, _ = act(client, f"/review/{first.pk}/comment/", comment="Ask the trigger people.")
    assert "Ask the trigger people." in text
    _, text, chain = act(client, f"/review/{first.pk}/skip/", reason="Not mine.")
    assert "Skipped" in text
    assert chain[-1][0] != f"/review/{first.pk}/"
    assert list(Remark.objects.order_by("id").values_list("kind", flat=True)) == ["take-over", "comment", "skip"]


def test_a_decision_is_undone_from_the_list(found: list[Item], page: Page, ada: User) -> None:
    done = decide(actor=ada, item=found[0], verdict="confirm")
    _, text, chain = act(page(ada), f"/review/decisions/{done.pk}/undo/")
    assert chain == [(f"/review/{found[0].pk}/", 302)]
    assert "waits again" in text


def test_undoing_below_a_signature_asks_for_the_reason(found: list[Item], page: Page, ada: User, lar: System) -> None:
    done = decide(actor=ada, item=found[0], verdict="confirm")
    services.sign_off(actor=ada, run=found[0].run, system=lar, stage="express")
    client = page(ada)
    answer = client.post(f"/review/decisions/{done.pk}/undo/")
    assert answer.status_code == 422
    assert "LAR express was signed after this decision." in words(answer.content.decode())
    _, text, _ = act(client, f"/review/decisions/{done.pk}/undo/", reason="It was the trigger.")
    assert "waits again" in text


def test_many_are_confirmed_after_a_preview(found: list[Item], page: Page, ada: User) -> None:
    client = page(ada)
    answer = client.get("/review/bulk/")
    text = words(answer.content.decode())
    assert "1 item would be confirmed 5 LS 500 /nb" in text
    assert "30-41 the machine is not sure: look at it" in text
    fields = {"item": [str(item.pk) for item in found], "seen": answer.context["preview"].seen}
    decide(actor=ada, item=found[0], verdict="override")
    refused = client.post("/review/bulk/", fields)
    assert refused.status_code == 409
    assert "Nothing was decided" in words(refused.content.decode())
    assert Decision.objects.count() == 1


def test_agreement_is_shown_by_system(found: list[Item], page: Page, ada: User) -> None:
    decide(actor=ada, item=found[0], verdict="override")
    text = text_of(page(ada), "/review/agreement/")
    assert "LAR Liquid-argon calorimeter 5 LS decided 500 /nb" in text
    assert "machine, expert 0 0 5 0 0.0% 0.0% 0.00" in text


def test_what_was_superseded_says_so_and_leads_on(found: list[Item], page: Page, ada: User, lar: System) -> None:
    score(champion(lar, 2), found[0].scoring.dataset, F("6-9"))
    find_items()
    newer = Item.objects.get(state=ItemState.OPEN)
    client = page(ada)
    answer = client.get(f"/review/{found[0].pk}/").content.decode()
    assert "Superseded." in answer
    assert f'href="/review/{newer.pk}/"' in answer
    refused = client.post(f"/review/{found[0].pk}/decide/", {"act": "bad"})
    assert refused.status_code == 409
    assert f"Look at item {newer.pk} instead." in words(refused.content.decode())


# --- nothing to do, for five reasons ----------------------------------------------------------------------------


def test_nothing_because_of_the_filters(found: list[Item], page: Page, ada: User) -> None:
    text = text_of(page(ada), "/review/?run=1")
    assert "No item matches these filters." in text
    assert "Clear the filters" in text


def test_nothing_because_all_is_decided(found: list[Item], page: Page, ada: User) -> None:
    for item in found:
        decide(actor=ada, item=item, verdict="override")
    text = text_of(page(ada), "/review/")
    assert "All is decided." in text
    assert f"The last one was run {RUN}, 60-62: ada" in text
    assert "Go on to sign-off" in text


def test_nothing_because_others_hold_the_rest(found: list[Item], page: Page, ada: User, chi: User) -> None:
    for item in found:
        claims.claim(actor=chi, item=item)
    text = text_of(page(ada), "/review/")
    assert "Others hold all that is left." in text
    assert f"run {RUN}, 5-9 chi until" in text


def test_nothing_because_nothing_was_scored(page: Page, ada: User) -> None:
    client = page(ada)
    assert "Nothing has been scored yet." in text_of(client, "/review/")
    job = Job.objects.create(kind="precert.score", key="precert.score:LAR:1:1", state=JobState.FAILED)
    assert f"job {job.pk}" in text_of(client, "/review/")


def test_nothing_for_want_of_a_role(found: list[Item], page: Page, ben: User, ova: User) -> None:
    text = text_of(page(ben), "/review/")
    assert "You have no review to do here." in text
    assert "Roles are granted by Ova." in text
    assert "Deciding needs the role expert of LAR, or coordinator." in text_of(page(ben), f"/review/{found[0].pk}/")


# --- who may what -----------------------------------------------------------------------------------------------


def test_who_has_no_role_sees_nothing_and_a_shifter_does_nothing(
    found: list[Item], page: Page, dee: User, ben: User
) -> None:
    for address in ("/review/", f"/review/{found[0].pk}/", f"/review/{found[0].pk}/evidence/", "/review/agreement/"):
        assert page(dee).get(address).status_code == 403
        assert page(None).get(address).status_code == 302
    client = page(ben)
    for name in ("decide", "skip", "comment", "claim", "renew", "release", "take-over"):
        fields = {"act": "bad", "reason": "x", "comment": "x"}
        assert client.post(f"/review/{found[0].pk}/{name}/", fields).status_code == 403, name
    assert not Decision.objects.exists()


def test_what_does_not_exist_is_404(page: Page, ada: User) -> None:
    client = page(ada)
    assert client.get("/review/4711/").status_code == 404
    assert client.post("/review/decisions/4711/undo/").status_code == 404


# --- around the queue -------------------------------------------------------------------------------------------


def test_the_frame_counts_what_waits_for_me(found: list[Item], page: Page, ada: User, ben: User) -> None:
    assert "Review 3" in text_of(page(ada), "/runs/")
    assert "Review 3" not in text_of(page(ben), "/runs/")


def test_home_and_run_lead_to_it(found: list[Item], page: Page, ada: User, chi: User) -> None:
    assert "3 to review" in text_of(page(ada), "/")
    assert "Review queue what machines want experts to look at LAR 3" in text_of(page(chi), "/")
    assert f'href="/review/?run={RUN}"' in page(ada).get(f"/runs/{RUN}/").content.decode()


def test_a_heartbeat_answers_with_the_lease(found: list[Item], page: Page, ada: User, monkeypatch: Any) -> None:
    client = page(ada)
    headers = {"HX-Request": "true", "HX-Target": "held"}
    answer = client.post(f"/review/{found[0].pk}/claim/", headers=headers)
    assert "held by you until" in answer.content.decode()
    now = timezone.now() + timedelta(minutes=11)
    monkeypatch.setattr(timezone, "now", lambda: now)
    lost = client.post(f"/review/{found[0].pk}/renew/", headers=headers)
    assert (lost.status_code, lost.headers["HX-Retarget"]) == (409, "#messages")


def test_an_act_answers_htmx_with_the_next_item(found: list[Item], page: Page, ada: User) -> None:
    headers = {"HX-Request": "true", "HX-Target": "review"}
    fields = {"act": "good", "show": "unsure"}
    answer = page(ada).post(f"/review/{found[1].pk}/decide/", fields, headers=headers)
    text = answer.content.decode()
    assert answer.headers["HX-Push-Url"] == f"/review/{found[2].pk}/?show=unsure"
    assert "<html" not in text
    assert f'hx-get="/review/{found[2].pk}/evidence/"' in text
    assert "1 left." in words(text)


@pytest.mark.slow
def test_the_evidence_of_a_real_scoring_is_shown(lar: System, page: Page, ada: User) -> None:
    define(lar)
    version = world.register(lar, folder=world.knowing_folder())
    from certifier.precert import services as precert

    precert.promote(actor=None, version=version, reason="knows")
    world.score(version, world.take(system=lar, corrupt="20-24"))
    find_items()
    item = next(item for item in Item.objects.all() if 22 in item.lumisections)
    client = page(ada)
    text = text_of(client, f"/review/{item.pk}/?all=1")
    for shown in ("LAr/cellEnergy", "Elements, worst first", "What the machine saw", "Similar past cases", "P(bad)"):
        assert shown in text, shown
    part = client.get(f"/review/{item.pk}/evidence/").content.decode()
    assert "data:image/png;base64," in part
    assert "stroke" not in part


@pytest.mark.parametrize("address", ["/review/", "/review/?system=lar", "/review/?show=unsure"])
def test_the_page_asks_the_database_at_most_twelve_times(
    lar: System, page: Page, ada: User, django_assert_max_num_queries: Any, address: str
) -> None:
    define(lar)
    found = queue(lar, *[F(f"{first}", "unsure") for first in range(1, 99, 2)])
    client = page(ada)
    for item in found[:5]:
        decide(actor=ada, item=item, verdict="override")
    with django_assert_max_num_queries(12):
        client.get(address)


def test_what_is_not_scored_and_the_histograms_come_by_themselves(found: list[Item], page: Page, ada: User) -> None:
    client = page(ada)
    text = client.get(f"/review/{found[0].pk}/").content.decode()
    assert f'hx-get="/review/{found[0].pk}/evidence/"' in text
    assert 'hx-get="/review/not-scored/"' in text
    part = client.get("/review/not-scored/").content.decode()
    assert "<html" not in part
    assert "not scored" in words(part)
    assert 'id="review-bar" hx-swap-oob="true"' in part


def test_a_browser_that_fetches_nothing_by_itself_gets_all_on_one_page(
    found: list[Item], page: Page, ada: User
) -> None:
    client = page(ada)
    address = f"/review/{found[0].pk}/"
    assert f'class="no-js" href="{address}?all=1"' in client.get(address).content.decode()
    text = client.get(f"{address}?all=1").content.decode()
    assert f'hx-get="{address}evidence/"' not in text
    assert "/review/not-scored/" not in text
    assert "Elements, worst first" in text
    assert "Reading histograms" not in text
    # And goes on so.
    answer = client.post(f"{address}decide/", {"act": "good", "all": "1"})
    assert answer.status_code == 302
    assert answer["Location"].endswith("?all=1")
    assert "Elements, worst first" in client.get(answer["Location"]).content.decode()
