"""What people fill in about their own account."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.utils import timezone

NEVER = "never"
LIFETIMES = [("30", "30 days"), ("90", "90 days"), ("365", "a year"), (NEVER, "no end")]


class SignInForm(AuthenticationForm):
    """Django's own, with labels as the house writes them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "username"
        self.fields["password"].label = "password"


class TokenForm(forms.Form):
    name = forms.CharField(
        label="what uses it",
        max_length=80,
        widget=forms.TextInput(attrs={"placeholder": "mirror of the run registry", "autocomplete": "off"}),
    )
    lifetime = forms.ChoiceField(label="works for", choices=LIFETIMES, initial="90")

    @property
    def expires_at(self) -> datetime | None:
        """When the token ends; None when it does not."""
        days = self.cleaned_data["lifetime"]
        return None if days == NEVER else timezone.now() + timedelta(days=int(days))
