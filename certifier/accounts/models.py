"""Who works here: people, the systems they answer for, the roles that join them, and the tokens of their
scripts."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone


class System(models.Model):
    """A subdetector, trigger or physics object with its own experts (LAR, PIXEL, TRIG_L1, EGAMMA)."""

    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    family = models.CharField(
        max_length=40, blank=True, help_text="Tracking, Calorimeter, Muon, Trigger: the column it stands in"
    )
    position = models.PositiveSmallIntegerField(
        default=100, help_text="order on pages; also the order in which losses are charged"
    )

    class Meta:
        ordering = ["position", "code"]
        constraints = [models.UniqueConstraint(Lower("code"), name="system_code_ignoring_case")]

    def __str__(self) -> str:
        return self.code


class User(AbstractUser):
    is_robot = models.BooleanField(default=False, help_text="an account of a script; it has tokens and no password")

    def __str__(self) -> str:
        return self.get_full_name() or self.username


class Role(models.TextChoices):
    VIEWER = "viewer", "viewer"
    SHIFTER = "shifter", "shifter"
    EXPERT = "expert", "expert"
    COORDINATOR = "coordinator", "coordinator"
    ADMIN = "admin", "administrator"


class RoleGrant(models.Model):
    """One role of one person; an expert's grant names the system, every other role holds everywhere."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(max_length=12, choices=Role)
    system = models.ForeignKey(System, null=True, blank=True, on_delete=models.PROTECT, related_name="grants")
    granted_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    granted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["user__username", "role"]
        constraints = [
            # Two, because to a database two rows without a system are not equal in it.
            models.UniqueConstraint(fields=["user", "role", "system"], name="role_of_a_system_once"),
            models.UniqueConstraint(
                fields=["user", "role"], condition=models.Q(system__isnull=True), name="role_everywhere_once"
            ),
            models.CheckConstraint(
                condition=models.Q(role="expert", system__isnull=False)
                | (~models.Q(role="expert") & models.Q(system__isnull=True)),
                name="expert_of_a_system_others_of_none",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user.username}: {self.get_role_display()}" + (f" of {self.system}" if self.system else "")


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def live(self) -> ApiTokenQuerySet:
        return self.filter(revoked_at=None).filter(models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now()))


class ApiToken(models.Model):
    """The key of a script. Only a digest is stored; the key itself is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80, blank=True, help_text="what uses it")
    prefix = models.CharField(max_length=8, help_text="the first characters, so that its owner recognises it")
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.user.username}"


class SavedFilter(models.Model):
    """A person's own name for the filters of a page: the query string that the page has in its address."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="filters")
    page = models.CharField(max_length=40, help_text="the page's name in the program: web:runs")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1_000, help_text="as it stands in the address, without the question mark")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["page", "name"]
        constraints = [models.UniqueConstraint(fields=["user", "page", "name"], name="filter_of_a_page_once")]

    def __str__(self) -> str:
        return f"{self.name} of {self.user.username}"
