"""Who has which role; coordinators and administrators give and take them here."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from certifier.audit.errors import CertifierError
from certifier.audit.models import AuditEvent

from . import permissions, services
from .models import Role, RoleGrant, System, User
from .role_words import roles_in_words

PEOPLE_PER_PAGE = 50
EVENTS_SHOWN = 20
GRANTS = RoleGrant.objects.select_related("system").order_by("role", "system__position", "system__code")


class PeopleForm(forms.Form):
    q = forms.CharField(
        label="name", required=False, max_length=150,
        widget=forms.TextInput(attrs={"data-search": "", "autocomplete": "off"}),
    )  # fmt: skip
    role = forms.ChoiceField(label="role", required=False, choices=[("", "any"), *Role.choices, ("none", "no role")])
    system = forms.ModelChoiceField(
        System.objects.all(), to_field_name="code", label="expert of", required=False, empty_label="any"
    )


class GrantForm(forms.Form):
    """`roles` are those that the person at the page may give."""

    role = forms.ChoiceField(label="role")
    system = forms.ModelChoiceField(
        System.objects.all(), to_field_name="code", label="system", required=False, empty_label="every system",
        help_text="Of an expert; every other role holds everywhere.",
    )  # fmt: skip

    def __init__(self, *args: Any, roles: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = roles


def given_by(user: Any) -> list[tuple[str, str]]:
    """The roles that this person may give and take."""
    return [(value, label) for value, label in Role.choices if permissions.can_grant(user, value)]


@never_cache
@require_safe
def people(request: HttpRequest) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    form = PeopleForm(request.GET)
    rows = User.objects.none()
    if form.is_valid():
        rows = _chosen(form.cleaned_data).order_by("username").prefetch_related(Prefetch("grants", GRANTS))
    context = {
        "form": form,
        "page": Paginator(rows, PEOPLE_PER_PAGE).get_page(request.GET.get("page")),
        "may_grant": bool(given_by(request.user)),
        "is_filtered": any(request.GET.get(name) for name in form.fields),
    }
    return render(request, "accounts/people.html", context)


def _chosen(asked: dict[str, Any]) -> Any:
    rows = User.objects.all()
    if text := asked["q"].strip().replace("\0", ""):
        rows = rows.filter(Q(username__icontains=text) | Q(first_name__icontains=text) | Q(last_name__icontains=text))
    if asked["role"] == "none":
        rows = rows.filter(grants=None, is_superuser=False)
    elif asked["role"]:
        rows = rows.filter(grants__role=asked["role"]).distinct()
    if asked["system"] is not None:
        rows = rows.filter(grants__system=asked["system"]).distinct()
    return rows


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def person(request: HttpRequest, username: str) -> HttpResponse:
    """One person's roles. A POST gives a role (`act` grant) or takes one (`act` revoke)."""
    permissions.require(permissions.can_view(request.user))
    shown = get_object_or_404(User, username=username.replace("\0", ""))
    roles = given_by(request.user)
    posted = request.method == "POST"
    form = GrantForm(request.POST if posted else None, roles=roles if not posted else list(Role.choices))
    if posted and form.is_valid():
        try:
            done = _act(request, shown, form.cleaned_data["role"], form.cleaned_data["system"])
        except CertifierError as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, done)
            return redirect("accounts:person", shown.username)
    may_take = {value for value, _ in roles}
    subject = f"user {shown.username}"
    context = {
        "person": shown,
        "roles": [(each, each.grant is not None and each.grant.role in may_take) for each in roles_in_words(shown)],
        "form": form if roles else None,
        "why_not": permissions.can_grant(request.user, Role.VIEWER),
        "events": AuditEvent.objects.filter(
            subject=subject, code__in=["accounts.grant_role", "accounts.revoke_role"]
        ).order_by("-id")[:EVENTS_SHOWN],
    }
    return render(request, "accounts/person.html", context, status=400 if form.errors else 200)


def _act(request: HttpRequest, shown: User, role: str, system: System | None) -> str:
    actor = cast("User", request.user)
    word = f"expert of {system.code}" if system is not None else str(Role(role).label)
    if request.POST.get("act") == "revoke":
        services.revoke_role(actor=actor, user=shown, role=role, system=system)
        return f"{shown.username} is no longer {word}."
    services.grant_role(actor=actor, user=shown, role=role, system=system)
    return f"{shown.username} is {word} now."
