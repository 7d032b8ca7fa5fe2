"""Fields that take what the contract says and nothing that merely looks like it, and serializers that know
their fields.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

# What every database here holds in an integer column.
LARGEST_INTEGER = 2**31 - 1


class Text(serializers.CharField):
    """Text only: a number or a boolean is not turned into one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Integer(serializers.IntegerField):
    """A JSON integer: no text, no boolean, no 1.0, and within what the database holds unless told
    otherwise.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**({"min_value": 0, "max_value": LARGEST_INTEGER} | options))

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


class Boolean(serializers.BooleanField):
    """true or false, not 1 and not "yes"."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Choice(serializers.ChoiceField):
    """One of the texts given."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not know, by name: a misspelt field must not silently keep its default."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = sorted(str(key) for key in data if key not in self.fields)
            if unknown:
                raise serializers.ValidationError(dict.fromkeys(unknown, "There is no such field."))
        return super().to_internal_value(data)
