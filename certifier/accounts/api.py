"""REST of this room; its addresses are below /api/v1/."""

from __future__ import annotations

from typing import cast

from django.urls import path
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from . import services
from .models import System, User


class Code(serializers.CharField):
    """A text that stays what was sent: a number or a boolean is not taken for one."""

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class SystemSerializer(serializers.ModelSerializer[System]):
    code = Code(max_length=40, help_text="ASCII letters, digits and underscores; unique ignoring case")
    name = Code(
        max_length=120,
        required=False,
        allow_blank=True,
        help_text="what people call it; the code when left out",
    )

    class Meta:
        model = System
        fields = ["code", "name"]

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if unknown:
            raise serializers.ValidationError(dict.fromkeys(unknown, "There is no such field."))
        return attrs


@extend_schema_view(get=extend_schema(operation_id="list_systems"))
class Systems(generics.ListCreateAPIView[System]):
    """Subdetectors, triggers and physics objects, in the order of pages, in which losses are charged too."""

    queryset = System.objects.all()
    serializer_class = SystemSerializer
    keyset = ("position", "code")

    @extend_schema(operation_id="create_system", responses={201: SystemSerializer})
    def post(self, request: Request, *args: object, **kwargs: object) -> Response:
        """A new system. Coordinators only; a code that exists, ignoring case, is 409."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        system = services.create_system(actor=cast("User", request.user), **serializer.validated_data)
        return Response(self.get_serializer(system).data, status=201)


urlpatterns = [path("systems/", Systems.as_view(), name="systems")]
