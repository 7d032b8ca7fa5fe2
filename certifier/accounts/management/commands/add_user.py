"""`manage.py add_user NAME --role R [--system S]`: an account and its roles, made on the server itself."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from certifier.accounts import services
from certifier.accounts.errors import NoSuchUser
from certifier.accounts.models import Role, System, User
from certifier.accounts.selectors import system_named, user_named
from certifier.audit.errors import CertifierError


class Command(BaseCommand):
    help = "Create the account NAME if it is not there, and grant it roles. Doing it again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the account, as it logs in")
        parser.add_argument(
            "--role", action="append", choices=Role.values, default=[], help="may be given several times"
        )
        parser.add_argument(
            "--system", action="append", default=[], help="what an expert is expert of; several times too"
        )
        parser.add_argument("--robot", action="store_true", help="an account of a script: tokens, never a password")
        parser.add_argument("--ask-password", action="store_true", help="ask for a password; without it, tokens only")

    def handle(self, *args: Any, name: str, role: list[str], system: list[str], **options: Any) -> None:
        if system and Role.EXPERT not in role:
            raise CommandError("--system says what an expert is expert of: give --role expert with it.")
        if Role.EXPERT in role and not system:
            raise CommandError(f"An expert is expert of a system: give --system. {self._systems()}")
        user = self._known(name)
        created = user is None
        if options["ask_password"] and not created:
            raise CommandError(f"{name} is there already: change the password with manage.py changepassword {name}")
        password = self._password(name) if options["ask_password"] else None
        try:
            with transaction.atomic():
                user = user or services.create_user(
                    actor=None, username=name, password=password, is_robot=options["robot"]
                )
                self._grant(user, role, system)
        except CertifierError as error:
            raise CommandError(error.message) from error
        roles = ", ".join(sorted(str(grant).partition(": ")[2] for grant in user.grants.select_related("system")))
        self.stdout.write(f"{'Created' if created else 'Found'} {user.username}: {roles or 'no role'}.")

    def _known(self, name: str) -> User | None:
        try:
            return user_named(name)
        except NoSuchUser:
            return None
        except CertifierError as refusal:
            raise CommandError(refusal.message) from None

    def _grant(self, user: User, roles: list[str], systems: list[str]) -> None:
        for role in roles:
            if role != Role.EXPERT:
                services.grant_role(actor=None, user=user, role=role)
        for code in systems:
            services.grant_role(actor=None, user=user, role=Role.EXPERT, system=system_named(code))

    def _systems(self) -> str:
        codes = list(System.objects.values_list("code", flat=True))
        return f"Systems are {', '.join(codes)}." if codes else "No system is defined yet (POST /api/v1/systems/)."

    def _password(self, name: str) -> str:
        password = getpass.getpass(f"Password of {name}: ")
        if password != getpass.getpass("Once more: "):
            raise CommandError("The two passwords differ.")
        try:
            validate_password(password)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        return password
