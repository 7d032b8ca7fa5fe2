"""Which runs a list shows: the same parameters for REST and for pages."""

from __future__ import annotations

from typing import Any

import django_filters as filters
from django import forms

from certifier.lumi import LARGEST_RUN

from .models import Run
from .run_fields import LARGEST_INTEGER


class WholeNumberFilter(filters.NumberFilter):
    """Whole numbers only, within what the databases hold."""

    field_class = forms.IntegerField

    def get_max_validator(self) -> None:
        return None  # the field's own limits are tighter


class RunFilter(filters.FilterSet):
    run__gte = WholeNumberFilter(
        field_name="number", lookup_expr="gte", label="from run", min_value=0, max_value=LARGEST_RUN
    )
    run__lte = WholeNumberFilter(
        field_name="number", lookup_expr="lte", label="to run", min_value=0, max_value=LARGEST_RUN
    )
    period = filters.CharFilter(label="period", max_length=20)
    project = filters.CharFilter(label="project", max_length=60)
    fill = WholeNumberFilter(label="fill", min_value=0, max_value=LARGEST_INTEGER)
    beam = filters.CharFilter(label="beam", max_length=20)
    updated_since = filters.IsoDateTimeFilter(field_name="updated_at", lookup_expr="gte", label="updated since")

    class Meta:
        model = Run
        fields: list[Any] = []
