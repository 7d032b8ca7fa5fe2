"""What the frame of a page and its partials need: theme, navigation, page numbers, form controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms, template
from django.core.paginator import Paginator
from django.forms import BoundField
from django.template import Context
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

THEMES = ("light", "dark")


@register.simple_tag(takes_context=True)
def theme_attribute(context: Context) -> SafeString:
    """`<html{% theme_attribute %}>`: the chosen theme from the cookie; nothing when the system decides."""
    request = context.get("request")
    theme = request.COOKIES.get("theme") if request else None
    return format_html(' data-theme="{}"', theme) if theme in THEMES else mark_safe("")


@register.simple_tag(takes_context=True)
def nav_item(context: Context, word: str, url_name: str, count: int = 0) -> SafeString:
    """One <li> of the navigation, current on its page and on those below it; nothing without an address. `count` is
    how much waits there."""
    try:
        url = reverse(url_name)
    except NoReverseMatch:
        return mark_safe("")
    request = context.get("request")
    path = request.path if request else ""
    current = "page" if path == url else "true" if url != "/" and path.startswith(url) else ""
    attribute = format_html(' aria-current="{}"', current) if current else ""
    hot = format_html(' <span class="pill pill-hot" title="wait for you">{}</span>', count) if count else ""
    return format_html('<li><a href="{}"{}>{}{}</a></li>', url, attribute, word, hot)


@register.filter
def page_numbers(paginator: Paginator[Any], number: int) -> list[int]:
    """The page numbers to offer; 0 stands for a gap."""
    pages = paginator.get_elided_page_range(number, on_each_side=1, on_ends=1)
    return [page if isinstance(page, int) else 0 for page in pages]


@register.simple_tag(takes_context=True)
def kept_parameters(context: Context, *without: str) -> SafeString:
    """The query string as hidden inputs, so that a GET form keeps the filters it does not own."""
    request = context.get("request")
    if request is None:
        return mark_safe("")
    pairs = ((name, value) for name, values in request.GET.lists() if name not in without for value in values)
    return format_html_join("", '<input type="hidden" name="{}" value="{}">', pairs)


WIDGET_KINDS: Sequence[tuple[type[forms.Widget], str]] = (
    (forms.CheckboxInput, "checkbox"),
    (forms.RadioSelect, "choices"),
    (forms.CheckboxSelectMultiple, "choices"),
    (forms.Select, "select"),
    (forms.Textarea, "textarea"),
)


@register.filter
def widget_kind(field: BoundField) -> str:
    """checkbox, choices, select, textarea or input."""
    return next((kind for widget, kind in WIDGET_KINDS if isinstance(field.field.widget, widget)), "input")


@register.simple_tag
def styled(field: BoundField, extra: str = "") -> SafeString:
    """A bound field's control with the class of its kind beside its own classes."""
    kind = widget_kind(field)
    own = field.field.widget.attrs.get("class", "")
    classes = " ".join(part for part in ("" if kind in ("checkbox", "choices") else kind, own, extra) if part)
    return field.as_widget(attrs={"class": classes} if classes else None)
