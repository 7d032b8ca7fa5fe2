"""The page on which a coordinator chooses what the models of a system are made of."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from certifier.accounts import permissions
from certifier.accounts.models import System, User

from . import services
from .errors import ReasonNeeded, RecipeNotFound, RecipeUnsuited, SameRecipe
from .models import RecipeChoice
from .needs import elements_of, lack_of
from .recipes import BY_NAME, RECIPES, chosen_recipe


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def recipe(request: HttpRequest, code: str) -> HttpResponse:
    """Every recipe, which one holds and who chose it; what was typed stays when a choice is refused."""
    permissions.require(permissions.can_view(request.user))
    system = get_object_or_404(System, code=code)
    wanted, reason, wrong = "", "", ""
    if request.method == "POST":
        wanted, reason = (request.POST.get(name, "").replace("\0", "") for name in ("recipe", "reason"))
        try:
            row = services.choose_recipe(actor=cast("User", request.user), system=system, recipe=wanted, reason=reason)
        except (ReasonNeeded, RecipeNotFound, RecipeUnsuited, SameRecipe) as refusal:
            wrong = str(refusal)
        else:
            messages.success(
                request,
                f"From its next training on, models of {system.code} are made as “{BY_NAME[row.recipe].title}”.",
            )
            return redirect("training:system", code=system.code)
    elements = elements_of(system)
    history = RecipeChoice.objects.filter(system=system).order_by("-id")
    context = {
        "system": system,
        "recipes": [(each, lack_of(each, system, elements)) for each in RECIPES],
        "chosen": chosen_recipe(system),
        "history": [(row, BY_NAME.get(row.recipe)) for row in history],
        "wanted": wanted,
        "reason": reason,
        "wrong": wrong,
        "may_train": permissions.can_train(request.user),
    }
    return render(request, "training/recipe.html", context, status=422 if wrong else 200)
