"""Signing in and out, and the page of one's own account: roles in words, API tokens."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from . import demo_accounts, permissions, services
from .forms import SignInForm, TokenForm
from .models import ApiToken, User
from .role_words import roles_in_words


class SignIn(auth_views.LoginView):
    """Django's own sign-in. Where the demo world was loaded, the page names its accounts."""

    template_name = "accounts/login.html"
    form_class = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        demo = demo_accounts.read(settings.CERTIFIER_VAR)
        known = {"demo_accounts": demo.accounts, "demo_password": demo.password} if demo else {}
        return super().get_context_data(**kwargs) | known


@never_cache
@login_required
@require_safe
def profile(request: HttpRequest) -> HttpResponse:
    return _profile(request, TokenForm())


@never_cache
@login_required
@require_POST
def make_token(request: HttpRequest) -> HttpResponse:
    """The key is in this answer and nowhere else, so the answer is the page and not a redirect to it."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _profile(request, form, status=422)
    user = cast("User", request.user)
    token, key = services.create_token(
        actor=user, user=user, name=form.cleaned_data["name"], expires_at=form.expires_at
    )
    return _profile(request, TokenForm(), made=token, key=key, status=201)


@login_required
@require_POST
def revoke_token(request: HttpRequest, token: int) -> HttpResponse:
    user = cast("User", request.user)
    row = get_object_or_404(ApiToken.objects.select_related("user"), pk=token, user=user)
    services.revoke_token(actor=user, token=row)
    messages.success(request, f"The token {row.prefix}… no longer works.")
    return redirect("accounts:profile")


def _profile(
    request: HttpRequest, form: TokenForm, *, made: ApiToken | None = None, key: str = "", status: int = 200
) -> HttpResponse:
    user = cast("User", request.user)
    live = {token.pk for token in ApiToken.objects.live().filter(user=user).only("pk")}
    tokens = [(token, token.pk in live) for token in user.tokens.all()]
    context = {
        "facts": [("name", user.username), ("mail", user.email)] if user.email else [("name", user.username)],
        "roles": roles_in_words(user),
        "tokens": sorted(tokens, key=lambda pair: not pair[1]),
        "form": form,
        "filters": user.filters.all(),
        "may_have_tokens": bool(permissions.can_view(user)),
        "made": made,
        "key": key,
    }
    return render(request, "accounts/profile.html", context, status=status)
