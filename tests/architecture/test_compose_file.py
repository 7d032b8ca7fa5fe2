"""The compose file says what the settings read. No container engine is needed: it is read, not run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.architecture.test_docs_are_complete import variables
from tests.needs import REPOSITORY

DOCKER = REPOSITORY / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
#: Read by libraries, not by the settings: docs/operate.md says for what.
BY_LIBRARIES = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
OF_OURS = {"migrate", "web", "worker", "train", "beat"}


def test_it_has_every_process_and_server() -> None:
    assert set(SERVICES) == OF_OURS | {"database", "redis"}
    assert SERVICES["database"]["image"].startswith("postgres:")
    assert SERVICES["redis"]["image"].startswith("redis:")


def test_every_variable_is_one_the_settings_read() -> None:
    for name in OF_OURS:
        given = {key.removesuffix("_FILE") for key in SERVICES[name]["environment"]}
        assert given <= variables() | BY_LIBRARIES, name


def test_secrets_come_from_files_that_are_declared_and_made() -> None:
    for service in SERVICES.values():
        for key, value in service["environment"].items() if "environment" in service else ():
            if key.endswith("_FILE"):
                secret = Path(value).name
                assert value == f"/run/secrets/{secret}"
                assert secret in service["secrets"]
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
    made = set(re.findall(r"^keep (\w+)", (DOCKER / "make-secrets.sh").read_text(), re.MULTILINE))
    assert made == set(COMPOSE["secrets"])
    assert "docker/secrets/" in (REPOSITORY / ".gitignore").read_text().splitlines()


def test_the_queues_are_all_served() -> None:
    from certifier.schedule import QUEUES

    served: list[str] = []
    for name in ("worker", "train"):
        command = SERVICES[name]["command"]
        served += command[command.index("-Q") + 1].split(",")
    assert sorted(served) == sorted(QUEUES)
    train = SERVICES["train"]["command"]
    assert train[train.index("-c") + 1] == "1"
    assert train[train.index("--max-tasks-per-child") + 1] == "1"


def test_everybody_waits_for_the_migration_and_is_looked_after() -> None:
    for name in OF_OURS - {"migrate"}:
        assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    for name in set(SERVICES) - {"migrate", "beat"}:
        assert SERVICES[name]["healthcheck"]["test"], name
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["web"]["ports"])


def test_the_image_holds_what_the_program_needs_and_is_not_root() -> None:
    lines = (DOCKER / "Dockerfile").read_text().splitlines()
    copied = {
        source for line in lines if line.startswith("COPY ") and "--from" not in line for source in line.split()[1:-1]
    }
    assert {"manage.py", "certifier", "mlcore", "templates", "static", "requirements.txt"} <= copied
    for source in copied:
        assert (REPOSITORY / source).exists(), source
    assert any(line == "USER certifier" for line in lines)
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert {"var", ".venv", ".git", "docker/secrets"} <= set(ignored)


def test_the_secrets_script_makes_each_once(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets.sh"
    script.write_text((DOCKER / "make-secrets.sh").read_text())
    for _ in range(2):
        subprocess.run(["sh", str(script)], check=True, capture_output=True)
        made = {path.name: path.read_text().strip() for path in (tmp_path / "secrets").iterdir()}
    password = made["database_password"]
    assert len(password) == 64
    assert made["database_url"] == f"postgres://certifier:{password}@database:5432/certifier"
    assert len(set(made.values())) == len(made)
