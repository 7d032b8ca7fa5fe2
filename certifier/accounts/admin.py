from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.http import HttpRequest

from certifier.audit.admin import ReadOnlyAdmin
from certifier.audit.unit import unit_of_work

from . import services
from .models import ApiToken, RoleGrant, System, User


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    list_display = ["username", "first_name", "last_name", "email", "is_robot", "is_active", "last_login"]
    list_filter = ["is_robot", "is_active"]
    fieldsets = (*DjangoUserAdmin.fieldsets, ("Certifier", {"fields": ["is_robot"]}))  # type: ignore[misc]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        with unit_of_work(request.user) as unit:  # type: ignore[arg-type]
            super().save_model(request, obj, form, change)
            fields = sorted(set(form.changed_data) - {"password", "password1", "password2", "usable_password"})
            unit.audit(
                "accounts.change_user" if change else "accounts.create_user", f"user {obj.username}", {"fields": fields}
            )


@admin.register(RoleGrant)
class RoleGrantAdmin(admin.ModelAdmin):
    """Grants go through the service, so that each leaves its audit event; a grant is given or taken, never
    edited."""

    list_display = ["user", "role", "system", "granted_by", "granted_at"]
    list_filter = ["role", "system"]
    fields = ["user", "role", "system"]
    autocomplete_fields = ["user", "system"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: RoleGrant, form: Any, change: bool) -> None:
        grant = services.grant_role(actor=request.user, user=obj.user, role=obj.role, system=obj.system)  # type: ignore[arg-type]
        obj.pk = grant.pk

    def delete_model(self, request: HttpRequest, obj: RoleGrant) -> None:
        services.revoke_role(actor=request.user, user=obj.user, role=obj.role, system=obj.system)  # type: ignore[arg-type]

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for grant in queryset:
            self.delete_model(request, grant)


@admin.register(System)
class SystemAdmin(admin.ModelAdmin):
    list_display = ["code", "name", "family", "position"]
    search_fields = ["code", "name"]

    def save_model(self, request: HttpRequest, obj: System, form: Any, change: bool) -> None:
        with unit_of_work(request.user) as unit:  # type: ignore[arg-type]
            super().save_model(request, obj, form, change)
            unit.audit(
                "accounts.change_system" if change else "accounts.create_system",
                f"system {obj.code}",
                {"fields": form.changed_data},
            )


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ["prefix", "user", "name", "created_at", "last_used_at", "expires_at", "revoked_at"]
    search_fields = ["user__username", "name", "prefix"]
