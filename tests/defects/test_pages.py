"""The pages of this room, as people without JavaScript use them; htmx asks the same addresses for their parts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from certifier.accounts.models import System, User
from certifier.defects import services
from certifier.defects.models import Defect, Entry, Tag
from certifier.runs.models import Run
from tests.cast import make_run
from tests.defects.builders import Page, define, define_all, present, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(lar: System, pixel: System) -> Run:
    define_all("LAR_A", "LAR_B")
    define("PIXEL_A", system="PIXEL", intolerable=True, description="Modules off.")
    define("V", "LAR_A or not PIXEL_A")
    define("W", "V and LAR_B")
    run = make_run(350479, lumisections=719)
    record(run, "LAR_A", "1-10", comment="first")
    services.create_tag(actor=None, name="pro22-01", description="the first")
    return run


def text(response: Any) -> str:
    return str(response.content.decode())


def told(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def addresses() -> list[str]:
    return [
        reverse("defects:catalogue"),
        reverse("defects:definition", args=["LAR_A"]),
        reverse("defects:definition", args=["W"]),
        reverse("web:record", args=[350479]),
        reverse("defects:history", args=[350479]),
        reverse("defects:upload"),
        reverse("defects:tags"),
        reverse("defects:tag", args=["pro22-01"]),
        reverse("defects:tag_diff", args=["pro22-01", "HEAD"]),
    ]


def test_everybody_with_a_role_reads_them(page: Page, run: Run, ben: User) -> None:
    client = page(ben)
    for address in addresses():
        assert client.get(address).status_code == 200, address


def test_nobody_else_does(page: Page, run: Run, dee: User) -> None:
    for address in [*addresses(), reverse("defects:define"), reverse("defects:edit", args=["LAR_A"])]:
        refused = page(dee).get(address)
        assert refused.status_code == 403, address
        assert "Ask an administrator" in text(refused)
        anonymous = page(None).get(address)
        assert anonymous.status_code == 302
        assert anonymous["Location"].startswith(reverse("accounts:login"))


def test_the_catalogue_filters(page: Page, run: Run, ben: User) -> None:
    client = page(ben)

    def names(query: str) -> list[str]:
        return [row["meaning"].name for row in client.get(reverse("defects:catalogue") + query).context["rows"]]

    assert names("") == ["LAR_A", "LAR_B", "PIXEL_A", "V", "W"]
    assert names("?system=PIXEL") == ["PIXEL_A"]
    assert names("?kind=virtual") == ["V", "W"]
    assert names("?intolerable=on") == ["PIXEL_A"]
    assert names("?q=modules") == ["PIXEL_A"]
    assert names("?q=lar_&kind=primary") == ["LAR_A", "LAR_B"]
    assert names("?system=NOPE") == []
    services.change_defect(actor=None, defect="LAR_A", name="LAR_NEW")
    assert names("?tag=pro22-01")[0] == "LAR_A"
    part = client.get(reverse("defects:catalogue"), headers={"HX-Request": "true", "HX-Target": "catalogue"})
    assert "<html" not in text(part)


def test_a_definition_shows_what_it_depends_on_and_who_uses_it(page: Page, run: Run, ben: User) -> None:
    answer = page(ben).get(reverse("defects:definition", args=["w"]))
    [root] = answer.context["tree"]
    assert root["name"] == "W"
    [v, lar_b] = root["children"]
    assert [child["name"] for child in v["children"]] == ["LAR_A", "PIXEL_A"]
    assert lar_b["children"] == []
    used = page(ben).get(reverse("defects:definition", args=["LAR_A"]))
    assert [one.name for one in used.context["used_by"]] == ["V"]
    usage = used.context["usage"]
    assert (usage.runs, usage.lumisections, usage.users, usage.latest_run) == (1, 10, [("system", 1)], 350479)


def test_an_old_name_leads_to_the_new_one(page: Page, run: Run, ben: User) -> None:
    services.change_defect(actor=None, defect="LAR_A", name="LAR_NEW")
    answer = page(ben).get(reverse("defects:definition", args=["LAR_A"]))
    assert answer.status_code == 302
    assert answer["Location"] == reverse("defects:definition", args=["LAR_NEW"])
    assert page(ben).get(reverse("defects:definition", args=["LAR_A"]) + "?tag=pro22-01").status_code == 200
    missing = page(ben).get(reverse("defects:definition", args=["NOPE"]))
    assert missing.status_code == 404


def test_defining_by_the_form(page: Page, run: Run, ada: User) -> None:
    client = page(ada)
    address = reverse("defects:define")
    assert [code for code, _ in client.get(address).context["form"].fields["system"].choices] == ["LAR"]
    body = {"name": "LAR_C", "system": "LAR", "description": "d", "expression": ""}
    made = client.post(address, body)
    assert made.status_code == 302
    assert Defect.objects.get(name="LAR_C").expression is None
    wrong = client.post(address, {**body, "name": "lar_c"})
    assert wrong.status_code == 422
    assert "exists already" in text(wrong)
    bad = client.post(address, {**body, "name": "LAR_D", "expression": "LAR_A or ("})
    assert bad.status_code == 422
    assert bad.context["form"].errors["expression"]
    assert client.post(address, {**body, "name": "LAR_D", "system": "PIXEL"}).status_code == 422
    assert not Defect.objects.filter(name="LAR_D").exists()


def test_changing_by_the_form_names_who_was_quicker(page: Page, run: Run, ada: User, chi: User) -> None:
    address = reverse("defects:edit", args=["V"])
    form = page(ada).get(address).context["form"]
    body = {name: form.initial[name] for name in ("name", "system", "description", "expression", "version")}
    services.change_defect(actor=chi, defect="V", expression="LAR_B")
    late = page(ada).post(address, {**body, "expression": "LAR_A"})
    assert late.status_code == 422
    assert "was changed meanwhile" in text(late)
    fresh = page(ada).get(address).context["form"].initial
    done = page(ada).post(address, {**body, "version": fresh["version"], "expression": "lar_a", "name": "V2"})
    assert done["Location"] == reverse("defects:definition", args=["V2"])
    assert Defect.objects.get(name="V2").expression == "LAR_A"
    assert Defect.objects.get(name="W").expression == "V2 and LAR_B"
    assert page(ada).get(reverse("defects:edit", args=["PIXEL_A"])).status_code == 403


def test_recording_by_the_form(page: Page, run: Run, ada: User) -> None:
    client = page(ada)
    address = reverse("web:record", args=[350479])
    shown = client.get(address + "?defect=LAR_B&lumisections=5-9")
    assert shown.context["form"].names == ["LAR_A", "LAR_B"]
    assert 'value="5-9"' in text(shown)
    body = {"defect": "lar_b", "lumisections": "5-9", "state": "recoverable", "comment": "why"}
    done = client.post(address, body)
    entry = Entry.objects.latest("id")
    assert (done.status_code, done["Location"]) == (302, f"/runs/350479/?recorded={entry.pk}")
    assert told(done) == ["LAR_B is recorded as recoverable on 5-9 of run 350479."]
    assert (entry.user, entry.source, entry.recoverable, entry.comment) == ("ada", "page", True, "why")
    client.post(address, {**body, "state": "absent"})
    assert present(run, "LAR_B") == ""


def test_recording_shows_its_effect_first(page: Page, run: Run, ben: User) -> None:
    address = reverse("web:record", args=[350479])
    body = {"defect": "LAR_B", "lumisections": "5-12", "state": "present", "comment": "", "effect": "1"}
    before = Entry.objects.count()
    answer = page(ben).post(address, body)
    assert answer.status_code == 200
    [effect] = answer.context["preview"].shown
    assert (effect.first.defect, str(effect.first.becomes_present)) == ("W", "5-12")
    assert effect.others == ["LAR_B"]
    assert Entry.objects.count() == before
    none = page(ben).post(address, {**body, "defect": "LAR_A", "lumisections": "1-3"})
    assert "No defect becomes present or absent by this." in text(none)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"lumisections": "9-5"}, "lumisections"),
        ({"lumisections": "720"}, "lumisections"),
        ({"lumisections": ""}, "lumisections"),
        ({"defect": "NOPE"}, "defect"),
        ({"defect": "V"}, "defect"),
        ({"state": "purple"}, "state"),
        ({"comment": "x" * 5000}, "comment"),
    ],
)
def test_what_is_wrong_stands_at_its_field(
    page: Page, run: Run, chi: User, changed: dict[str, str], field: str
) -> None:
    before = Entry.objects.count()
    body = {"defect": "LAR_B", "lumisections": "5-9", "state": "present", "comment": ""}
    for headers in ({}, {"HX-Request": "true", "HX-Target": "record-form"}):
        answer = page(chi).post(reverse("web:record", args=[350479]), body | changed, headers=headers)
        assert answer.status_code == 422
        assert list(answer.context["form"].errors) == [field]
        assert ("<html" in text(answer)) == (not headers)
    assert Entry.objects.count() == before


def test_htmx_is_sent_to_the_run_after_recording(page: Page, run: Run, ben: User) -> None:
    body = {"defect": "LAR_B", "lumisections": "5-9", "state": "present", "comment": ""}
    headers = {"HX-Request": "true", "HX-Target": "record-form"}
    answer = page(ben).post(reverse("web:record", args=[350479]), body, headers=headers)
    assert answer["HX-Redirect"].startswith("/runs/350479/?recorded=")


def test_somebody_who_may_not_record_is_told(page: Page, run: Run, ada: User, dee: User) -> None:
    body = {"defect": "PIXEL_A", "lumisections": "5-9", "state": "present", "comment": ""}
    refused = page(ada).post(reverse("web:record", args=[350479]), body)
    assert refused.status_code == 403
    assert "expert of PIXEL" in text(refused)
    assert page(dee).post(reverse("web:record", args=[350479]), body).status_code == 403
    assert page(ada).get(reverse("web:record", args=[999])).status_code == 404


UPLOAD = "@350479\nLAR_A R 100-110 # line 14\nLAR_B G\n"


def upload(client: Client, button: str, **body: Any) -> Any:
    return client.post(reverse("defects:upload"), {button: "1", **body})


def test_an_upload_is_previewed_then_recorded(page: Page, run: Run, ben: User) -> None:
    client = page(ben)
    assert "@350479" in text(client.get(reverse("defects:upload") + "?run=350479"))
    before = Entry.objects.count()
    preview = upload(client, "preview", text=UPLOAD.replace("\n", "\r\n"))
    assert preview.status_code == 200
    assert "Record 2 lines" in text(preview)
    assert Entry.objects.count() == before
    done = upload(client, "record", text=preview.context["text"])
    assert done["Location"] == "/runs/350479/"
    assert Entry.objects.count() == before + 2
    again = upload(client, "preview", text=UPLOAD)
    assert "There is nothing to record." in text(again)


def test_an_upload_may_be_a_file(page: Page, run: Run, ben: User, tmp_path: Any) -> None:
    path = tmp_path / "defects.txt"
    path.write_bytes(b"\xef\xbb\xbf" + UPLOAD.encode())
    with path.open("rb") as file:
        preview = upload(page(ben), "preview", text="", file=file)
    assert preview.context["text"] == UPLOAD
    assert len(preview.context["lines"]) == 2


def test_an_upload_that_cannot_be_read_names_its_lines(page: Page, run: Run, ben: User) -> None:
    before = Entry.objects.count()
    for button in ("preview", "record"):
        answer = upload(page(ben), button, text="@350479\nLAR_A R 9-5\nNOPE G\n")
        assert answer.status_code == 422
        assert [problem[:7] for problem in answer.context["problems"]] == ["Line 2:", "Line 3:"]
        assert "LAR_A R 9-5" in text(answer)
    assert Entry.objects.count() == before


def test_a_tag_is_made_by_the_form(page: Page, run: Run, chi: User, ben: User) -> None:
    address = reverse("defects:tags")
    body = {"name": "pro22-02", "description": "second", "from_tag": "", "runs": "350000-360000"}
    made = page(chi).post(address, body)
    assert made["Location"] == reverse("defects:tag", args=["pro22-02"])
    again = page(chi).post(address, body)
    assert again.status_code == 422
    assert "exists already" in text(again)
    nothing = page(chi).post(address, {**body, "name": "x", "runs": "1-2"})
    assert nothing.context["form"].errors["runs"]
    assert page(ben).post(address, {**body, "name": "x"}).status_code == 403
    assert Tag.objects.count() == 2
    compare = page(ben).get(reverse("defects:tag", args=["pro22-01"]) + "?other=HEAD")
    assert compare["Location"] == reverse("defects:tag_diff", args=["pro22-01", "HEAD"])
    assert page(ben).get(reverse("defects:tag", args=["NOPE"])).status_code == 404


def test_the_difference_of_two_tags_is_a_page(page: Page, run: Run, ben: User) -> None:
    record(run, "LAR_A", "20-25")
    services.change_defect(actor=None, defect="PIXEL_A", description="Other words.")
    answer = page(ben).get(reverse("defects:tag_diff", args=["pro22-01", "HEAD"]))
    assert [(row.defect, str(row.only_in_b)) for row in answer.context["page"]] == [("LAR_A", "20-25")]
    assert "Other words." in text(answer)
    address = reverse("defects:tag_diff", args=["pro22-01", "HEAD"])
    assert list(page(ben).get(address + "?system=PIXEL").context["page"]) == []
    assert "reversed" in text(page(ben).get(address + "?runs=9-1"))
    assert "There is no defect" in text(page(ben).get(address + "?ignore=NOPE"))


def test_the_history_of_a_run_filters_and_takes_a_tag(page: Page, run: Run, ben: User) -> None:
    record(run, "LAR_B", "5", comment="late")
    address = reverse("defects:history", args=[350479])
    assert [line.defect for line in page(ben).get(address).context["page"]] == ["LAR_B", "LAR_A"]
    assert [line.defect for line in page(ben).get(address + "?defect=lar_a").context["page"]] == ["LAR_A"]
    assert [line.defect for line in page(ben).get(address + "?tag=pro22-01").context["page"]] == ["LAR_A"]


def test_pages_say_what_to_do_when_there_is_nothing(page: Page, ben: User, lar: System) -> None:
    make_run(1, lumisections=0)
    assert "No defect is defined yet." in text(page(ben).get(reverse("defects:catalogue")))
    assert "No tag yet." in text(page(ben).get(reverse("defects:tags")))
    assert "Nothing was recorded for this run yet." in text(page(ben).get(reverse("defects:history", args=[1])))
    define("LAR_A")
    assert "The run has no lumisections yet." in text(page(ben).get(reverse("web:record", args=[1])))


def test_a_defect_may_be_called_like_a_page(page: Page, run: Run, ben: User) -> None:
    define_all("define", "tags", "upload")
    for name in ("define", "tags", "upload"):
        assert page(ben).get(reverse("defects:definition", args=[name])).context["meaning"].name == name


def test_the_form_on_the_page_of_a_run_works_without_javascript(run: Run, ben: User) -> None:
    """Only the token inside the form protects a plain post; a strict client has no other."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(ben)
    shown = text(client.get("/runs/350479/"))
    form = shown[shown.index('id="record-form"') :]
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form[: form.index("</form>")])
    assert token is not None
    body = {"defect": "LAR_B", "lumisections": "7", "state": "present", "comment": "", "csrfmiddlewaretoken": token[1]}
    assert client.post(reverse("web:record", args=[350479]), body)["Location"].startswith("/runs/350479/?")
    assert present(run, "LAR_B") == "7"
