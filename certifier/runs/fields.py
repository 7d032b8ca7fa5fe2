"""`LumiSet` as a model field: stored as its canonical text, so a row can be read in any database client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import models

from certifier.lumi import LumiError, LumiSet

if TYPE_CHECKING:
    LumiSetText = models.TextField[LumiSet | str, LumiSet]
else:
    LumiSetText = models.TextField


class LumiSetField(LumiSetText):
    description = "a set of lumisections of one run, as canonical text (1-4 9 20-728)"

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> LumiSet | None:
        return None if value is None else LumiSet.parse(value)

    def to_python(self, value: Any) -> LumiSet | None:
        if value is None or isinstance(value, LumiSet):
            return value
        try:
            return LumiSet.parse(str(value))
        except LumiError as error:
            raise ValidationError(str(error)) from error

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else str(value if isinstance(value, LumiSet) else LumiSet.parse(str(value)))

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.value_from_object(obj))
