"""The frame of every page and the partials that take what people typed."""

from __future__ import annotations

import pytest
from django import forms
from django.core.paginator import Paginator
from django.test import override_settings
from django.urls import include, path
from django.urls.resolvers import URLPattern, URLResolver

from certifier.web.styleguide import styleguide
from certifier.web.templatetags.chrome import nav_item
from tests.web.rendering import rendered, request_of

EVIL = '"><script>x</script>'

pages: list[URLPattern | URLResolver] = [
    path("", styleguide, name="home"),
    path("runs/", styleguide, name="runs"),
]
urlpatterns: list[URLPattern | URLResolver] = [path("", include((pages, "web")))]


class SampleForm(forms.Form):
    comment = forms.CharField(label="comment", help_text="Why you think so.")
    sure = forms.BooleanField(required=False)
    stage = forms.ChoiceField(choices=[("express", "express"), ("bulk", "bulk")], widget=forms.RadioSelect)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_renders_the_theme_of_the_cookie(theme: str) -> None:
    assert rendered("<html{% theme_attribute %}>", request_of(theme=theme)) == f'<html data-theme="{theme}">'


@pytest.mark.parametrize("theme", ["", "blue", '"><script>'])
def test_it_leaves_the_theme_to_the_system_otherwise(theme: str) -> None:
    assert rendered("<html{% theme_attribute %}>", request_of(theme=theme)) == "<html>"
    assert rendered("<html{% theme_attribute %}>") == "<html>"


@override_settings(ROOT_URLCONF=__name__)
def test_it_marks_where_one_is_in_the_navigation() -> None:
    item = '{% nav_item "Home" "web:home" %}|{% nav_item "Runs" "web:runs" %}'
    home, runs = rendered(item, request_of("/runs/350479/")).split("|")
    assert "aria-current" not in home
    assert 'aria-current="true"' in runs
    home, runs = rendered(item, request_of("/")).split("|")
    assert 'aria-current="page"' in home
    assert "aria-current" not in runs


@override_settings(ROOT_URLCONF=__name__)
def test_it_leaves_out_pages_that_do_not_exist() -> None:
    assert rendered('{% nav_item "Review" "review:queue" %}', request_of()) == ""
    assert nav_item.__doc__


def test_it_keeps_the_other_parameters_when_a_form_changes_one() -> None:
    html = rendered('{% kept_parameters "tag" "page" %}', request_of("/?tag=A&page=3&system=LAR&system=PIXEL"))
    assert html == '<input type="hidden" name="system" value="LAR"><input type="hidden" name="system" value="PIXEL">'
    assert "<script>" not in rendered("{% kept_parameters %}", request_of("/?x=%22%3E%3Cscript%3E"))


def test_it_joins_label_control_help_and_errors() -> None:
    form = SampleForm({"comment": ""})
    html = rendered('{% include "_field.html" with field=form.comment %}', form=form)
    assert 'for="id_comment"' in html
    assert 'class="input"' in html
    assert 'aria-invalid="true"' in html
    assert 'id="id_comment_error"' in html
    assert 'id="id_comment_helptext"' in html
    assert 'aria-describedby="id_comment_helptext id_comment_error"' in html


def test_it_escapes_what_was_typed() -> None:
    form = SampleForm({"comment": EVIL, "stage": EVIL})
    html = rendered('{% include "_form.html" %}{% include "_segmented.html" with field=form.stage %}', form=form)
    assert "<script>" not in html


@pytest.mark.parametrize(
    "partial",
    [
        '{% include "_message.html" with level="error" text=evil %}',
        '{% include "_banner.html" with title=evil text=evil url="/x/" action=evil %}',
        '{% include "_empty.html" with title=evil text=evil url="/x/" action=evil %}',
        '{% include "_facts.html" %}',
        '{% include "_page_header.html" with title=evil lead=evil %}',
        '{% include "_progress.html" with done=1 total=2 label=evil text=evil %}',
        '{% include "_tabs.html" with label=evil %}',
        '{% include "_tree.html" %}',
        '{% include "_tag_bar.html" with tag=evil tags=tags %}',
        '{% include "_tag_banner.html" with tag=evil %}',
        '{% include "_legend.html" with hint=evil %}',
    ],
)
def test_it_escapes_every_text_of_a_partial(partial: str) -> None:
    html = rendered(
        partial,
        request_of(),
        evil=EVIL,
        facts=[(EVIL, EVIL, EVIL)],
        tabs=[{"name": EVIL, "url": "/x/", "count": EVIL}],
        nodes=[{"name": EVIL, "url": "/x/", "reading": EVIL, "children": [{"name": EVIL}]}],
        tags=[EVIL],
    )
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_it_keeps_filters_while_paging() -> None:
    page = Paginator(range(1448), 100).page(7)
    html = rendered(
        '{% include "_pagination.html" with noun="runs" target="#runs" %}',
        request_of("/?period=K&page=7"),
        page=page,
    )
    assert "601–700 of 1448 runs" in html
    assert 'href="?period=K&amp;page=8" hx-get="?period=K&amp;page=8" hx-target="#runs" hx-push-url="true"' in html
    assert '<span class="here" aria-current="page">7</span>' in html


def test_it_pages_by_cursor_too() -> None:
    html = rendered('{% include "_pagination.html" with next_url="?after=9" %}', request_of())
    assert '<a rel="next" href="?after=9"' in html
    assert '<span class="off">‹ Previous</span>' in html


def test_it_shows_no_tag_banner_at_head() -> None:
    for tag in ("", "HEAD"):
        assert "banner" not in rendered('{% include "_tag_banner.html" %}', request_of(), tag=tag)
    html = rendered('{% include "_tag_banner.html" %}', request_of("/?tag=T&system=LAR"), tag="T")
    assert 'href="?system=LAR"' in html


@pytest.mark.parametrize("template", ["403.html", "404.html", "500.html"])
def test_it_has_error_pages_that_need_nothing(template: str) -> None:
    assert "Go home" in rendered('{% include "' + template + '" %}', request_of("/nowhere/"))


def test_it_shows_every_part_on_the_style_page() -> None:
    response = styleguide(request_of("/styleguide/"))
    page = response.content.decode()
    assert response.status_code == 200
    assert page.count("<h1>") == 1
    assert "style=" not in page.replace("style=page", "")
    assert 'data-plot="sample-plot"' in page
    assert '<script id="sample-plot" type="application/json">' in page
    assert "{%" not in page
    assert "{{" not in page
