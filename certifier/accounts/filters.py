"""Saved filters: a person's own names for what a page can be asked in its address."""

from __future__ import annotations

from typing import Final

from django.http import QueryDict

from certifier.audit.errors import CertifierError, NotFound
from certifier.audit.unit import unit_of_work

from . import permissions
from .models import SavedFilter, User

# Pages whose filters can be saved, by their names in the program.
PAGES: Final = ("web:runs", "defects:sightings")
LONGEST_NAME: Final = 60
LONGEST_QUERY: Final = 1_000
MOST_FILTERS: Final = 50


class FilterRefused(CertifierError):
    """The filter cannot be saved as asked; the message says why."""


class FilterNotFound(NotFound):
    """The person has no such filter."""


def save_filter(*, actor: User, page: str, name: str, query: str) -> SavedFilter:
    """Save, or save anew, what a page is asked under a name of one's own. Whoever may read may save."""
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_view(actor))
        name, query = name.strip(), cleaned(query)
        if page not in PAGES:
            raise FilterRefused("The filters of this page cannot be saved.", field="page")
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise FilterRefused(f"Give the filter a name of 1 to {LONGEST_NAME} printable characters.", field="name")
        if not query:
            raise FilterRefused("Nothing is filtered here: set a filter first, then save it.", field="query")
        if len(query) > LONGEST_QUERY:
            raise FilterRefused(f"The filters are longer than {LONGEST_QUERY} characters; narrow them.", field="query")
        own = SavedFilter.objects.filter(user=actor)
        if own.count() >= MOST_FILTERS and not own.filter(page=page, name=name).exists():
            raise FilterRefused(f"You have {MOST_FILTERS} filters; forget one first.")
        row, _ = SavedFilter.objects.update_or_create(user=actor, page=page, name=name, defaults={"query": query})
        unit.audit("accounts.save_filter", f"user {actor.username}", {"page": page, "name": name, "query": query})
    return row


def forget_filter(*, actor: User, key: int) -> SavedFilter:
    """Forget a filter of one's own; somebody else's is not there."""
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_view(actor))
        row = SavedFilter.objects.filter(user=actor, pk=key).first()
        if row is None:
            raise FilterNotFound("There is no such filter of yours; it may be forgotten already.")
        unit.audit("accounts.forget_filter", f"user {actor.username}", {"page": row.page, "name": row.name})
        row.delete()
    return row


def cleaned(query: str) -> str:
    """The query string without the page number and without what is empty."""
    given = QueryDict(query.removeprefix("?").replace("\0", ""), mutable=True)
    for name in list(given):
        values = [value for value in given.getlist(name) if value]
        if name == "page" or not values:
            del given[name]
        else:
            given.setlist(name, values)
    return given.urlencode()


def filters_of(user: User, page: str) -> list[SavedFilter]:
    return list(SavedFilter.objects.filter(user=user, page=page))
