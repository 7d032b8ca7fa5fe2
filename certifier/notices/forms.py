"""Forms of this room's pages. What they hold is checked again by the services."""

from __future__ import annotations

from typing import Any

from django import forms

from certifier.accounts.models import System, User

from .addresses import LONGEST_URL
from .models import EVENT_KINDS, Webhook
from .webhooks import LONGEST_NAME, Wish


class WebhookForm(forms.Form):
    name = forms.CharField(
        label="name",
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "control-room chat"}),
    )
    url = forms.CharField(
        label="address",
        max_length=LONGEST_URL,
        help_text="https:// or http://, to the open network.",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off"}),
    )
    kinds = forms.MultipleChoiceField(
        label="is told of (none: everything)",
        choices=[(kind.value, kind.label) for kind in EVENT_KINDS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    systems = forms.ModelMultipleChoiceField(
        System.objects.all(),
        label="systems",
        to_field_name="code",
        required=False,
        help_text="None: all. Several with Ctrl or ⌘. What is of no system, a list, is told anyway.",
    )
    person = forms.ModelChoiceField(
        User.objects.none(),
        label="of a person",
        to_field_name="username",
        required=False,
        empty_label="of the installation",
        help_text="Of a person it gets only what that person wants by webhook.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people: Any = self.fields["person"]
        people.queryset = User.objects.filter(is_active=True).order_by("username")
        people.label_from_instance = lambda user: user.get_username()

    @classmethod
    def of(cls, webhook: Webhook) -> WebhookForm:
        return cls(
            initial={
                "name": webhook.name,
                "url": webhook.url,
                "kinds": webhook.kinds,
                "systems": [system.code for system in webhook.systems.all()],
                "person": webhook.person.username if webhook.person else None,
            }
        )

    @property
    def wish(self) -> Wish:
        data = self.cleaned_data
        return Wish(
            name=data["name"],
            url=data["url"],
            kinds=data["kinds"],
            systems=list(data["systems"]),
            person=data["person"],
        )
