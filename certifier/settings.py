"""All settings, driven by the environment. Every variable is optional; docs/operate.md describes each.

A variable NAME may also be given as NAME_FILE, a file that holds the value (for secrets).
"""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path

from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured
from environs import FileAwareEnv, validate

from certifier import schedule
from certifier.ops.storage_url import bucket_of, folder_of

BASE_DIR = Path(__file__).resolve().parent.parent

env = FileAwareEnv(strip_whitespace=True)  # an editor ends a file with a newline; no secret does

# Everything the program writes lies below this folder: database, broker queues, stored files.
CERTIFIER_VAR = Path(env.str("CERTIFIER_VAR", str(BASE_DIR / "var"))).resolve()
CERTIFIER_VAR.mkdir(parents=True, exist_ok=True)

DEBUG = env.bool("DEBUG", False)


def local_secret_key() -> str:
    """A key of this installation, made once: sessions survive a restart without any configuration."""
    path = CERTIFIER_VAR / "secret_key"
    if not path.exists():
        # Several processes may start at once: each writes its own file, one of them becomes the key.
        own = path.with_name(f"secret_key.{os.getpid()}")
        own.touch(mode=0o600)
        own.write_text(secrets.token_urlsafe(50))
        with suppress(FileExistsError):
            os.link(own, path)
        own.unlink()
    return path.read_text().strip()


SECRET_KEY = env.str("SECRET_KEY", "") or local_secret_key()
# What must be kept readable, such as secrets of webhooks, is encrypted with the first, and read with the others too.
STORED_SECRETS_KEY = env.str("STORED_SECRETS_KEY", "") or SECRET_KEY
STORED_SECRETS_OLD_KEYS: list[str] = env.list("STORED_SECRETS_OLD_KEYS", [])
# This machine itself may always ask: its health checks do.
ALLOWED_HOSTS = [*env.list("ALLOWED_HOSTS", []), "localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
# Behind a proxy that ends TLS: cookies only over https, and the proxy's word for the scheme is believed.
HTTPS = env.bool("HTTPS", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "certifier.audit",
    "certifier.accounts",
    "certifier.ops",
    "certifier.runs",
    "certifier.defects",
    "certifier.monitoring",
    "certifier.precert",
    "certifier.review",
    "certifier.watch",
    "certifier.training",
    "certifier.goodruns",
    "certifier.sync",
    "certifier.notices",
    "certifier.trends",
    "certifier.associations",
    "certifier.api",
    "certifier.web",
    "certifier.demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # Above what serves static files: a page with a plot is a sixth of its size then, also without a proxy in front.
    "django.middleware.gzip.GZipMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "certifier.audit.request_id.RequestIdMiddleware",
    "certifier.ops.metrics.MetricsMiddleware",
    "certifier.api.middleware.ApiMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "certifier.web.errors.TypedErrorMiddleware",
    "certifier.api.idempotency.IdempotencyMiddleware",
]

ROOT_URLCONF = "certifier.urls"
WSGI_APPLICATION = "certifier.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "certifier.web.context.workplace",
            ],
        },
    }
]

# --- database -----------------------------------------------------------------------------------------------

DATABASES = {"default": env.dj_db_url("DATABASE_URL", f"sqlite:///{CERTIFIER_VAR / 'certifier.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE takes the write lock when a transaction begins, so a writer waits instead of failing in its
    # middle. (A second statement in init_command would need executescript; Django splits on ';' itself.)
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        # Seconds. Whoever waits looks again ten times a second and may find the lock taken each time: eight writers
        # without a pause made one of them wait 13 s.
        "timeout": 60,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-65536;"
        ),
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# SQLite gains most: closing its last connection writes the whole WAL back, 5 ms of every request.
DATABASES["default"]["CONN_MAX_AGE"] = env.int("DATABASE_CONN_MAX_AGE", 60)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people -------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["certifier.accounts.backends.RolesBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "web:home"
LOGOUT_REDIRECT_URL = "accounts:login"

# --- language and time --------------------------------------------------------------------------------------

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

# --- files --------------------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(CERTIFIER_VAR / "static")))
# WhiteNoise warns about a folder that is not there; on a read-only image collectstatic has made it.
if not STATIC_ROOT.exists() and os.access(CERTIFIER_VAR, os.W_OK):
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
# Without a collectstatic step WhiteNoise serves straight from the finders, so `gunicorn certifier.wsgi` needs
# nothing else.
WHITENOISE_USE_FINDERS = True
WHITENOISE_MANIFEST_STRICT = False
MEDIA_ROOT = CERTIFIER_VAR / "files"
if storage_url := env.str("STORAGE_URL", ""):
    if (folder := folder_of(storage_url)) is not None:
        MEDIA_ROOT = folder
    else:
        STORAGES = global_settings.STORAGES | {"default": bucket_of(storage_url)}
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("MAX_BODY_BYTES", 20 * 1024 * 1024)
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

# --- background work ----------------------------------------------------------------------------------------

REDIS_URL = env.str("REDIS_URL", "")
QUEUES = schedule.QUEUES
CELERY_TASK_DEFAULT_QUEUE = QUEUES[0]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True  # the Job row is the result
# The soft limit is an error that the job's row records; the hard one ends a process that ignores it.
CELERY_TASK_SOFT_TIME_LIMIT = env.int("JOB_TIME_LIMIT_S", 3300)
CELERY_TASK_TIME_LIMIT = CELERY_TASK_SOFT_TIME_LIMIT + 300
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = schedule.SCHEDULE
CELERY_BEAT_SCHEDULE_FILENAME = str(CERTIFIER_VAR / "beat")
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
    # Redis gives a message that nobody acknowledged to another worker after this long: longer than any job.
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {"visibility_timeout": 2 * CELERY_TASK_TIME_LIMIT}
else:
    CELERY_BROKER_URL = "folder://localhost//"
    CELERY_BROKER_TRANSPORT_OPTIONS = {"folder": str(CERTIFIER_VAR / "broker"), "polling_interval": 0.02}
    # Its replies would be messages in folders that nobody empties.
    CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
# A worker is called missing when its last heartbeat is older than this (the heartbeat task runs every 20 s).
WORKER_MISSING_AFTER_S = env.int("WORKER_MISSING_AFTER_S", 90)

# --- review ---------------------------------------------------------------------------------------------------

# Which share of automatic verdicts experts see without knowing it, and of all other findings: see review/sampling.py.
REVIEW_AUDIT_SHARE = env.float("REVIEW_AUDIT_SHARE", 0.03, validate=validate.Range(0.02, 0.05))
# Of runs of which experts look at every lumisection: what models promise is measured on these.
REVIEW_WHOLE_SHARE = env.float("REVIEW_WHOLE_SHARE", 0.05, validate=validate.Range(0.0, 0.5))
REVIEW_BLIND_SHARE = env.float("REVIEW_BLIND_SHARE", 0.15, validate=validate.Range(0.05, 1.0))

# --- training -------------------------------------------------------------------------------------------------

# How systems learn, by code or "*" for all: see training/recipe.py.
TRAINING_RECIPE = env.json("TRAINING_RECIPE", {})
if not isinstance(TRAINING_RECIPE, dict):
    raise ImproperlyConfigured(f"TRAINING_RECIPE is {TRAINING_RECIPE!r}, no JSON object by system.")
# The process that trains is ended when it holds more, or takes longer.
TRAINING_MEMORY_MB = env.int("TRAINING_MEMORY_MB", 4000, validate=validate.Range(min=100))
TRAINING_TIME_LIMIT_S = env.int("TRAINING_TIME_LIMIT_S", 3000, validate=validate.Range(min=1))

# --- sources of runs ------------------------------------------------------------------------------------------

# Where runs come from, by name: see sync/sources.py. May hold tokens, so better in a file.
SYNC_SOURCES = env.json("SYNC_SOURCES", {})
if not isinstance(SYNC_SOURCES, dict):
    raise ImproperlyConfigured(f"SYNC_SOURCES is {type(SYNC_SOURCES).__name__}, no JSON object by name.")

# --- REST ---------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "certifier.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["certifier.api.permissions.ViewerReads"],
    "DEFAULT_PAGINATION_CLASS": "certifier.api.pagination.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["certifier.api.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "certifier.api.renderers.AnswerAnyway",
    "DEFAULT_PARSER_CLASSES": ["certifier.api.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "certifier.api.errors.exception_handler",
    "PAGE_SIZE": 100,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Certifier",
    "DESCRIPTION": "Decides which data of a particle-physics experiment are fit for physics. See docs/api.md.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {"Stage": "certifier.review.models.Stage"},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "certifier.api.schema.add_shared_answers",
    ],
}

# --- notices --------------------------------------------------------------------------------------------------

# How people reach this site: links in mails and webhooks begin with it.
SITE_URL = env.str("SITE_URL", "http://localhost:8000")
# Whether webhooks may go to this machine and to private networks: see notices/addresses.py.
NOTICES_PRIVATE_WEBHOOKS = env.bool("NOTICES_PRIVATE_WEBHOOKS", False)

# --- mail and logs ------------------------------------------------------------------------------------------

EMAIL = env.dj_email_url("EMAIL_URL", "dummy://")
EMAIL_BACKEND = EMAIL["EMAIL_BACKEND"]
EMAIL_HOST = EMAIL["EMAIL_HOST"]
EMAIL_PORT = EMAIL["EMAIL_PORT"]
EMAIL_HOST_USER = EMAIL["EMAIL_HOST_USER"]
EMAIL_HOST_PASSWORD = EMAIL["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS = EMAIL["EMAIL_USE_TLS"]
EMAIL_USE_SSL = EMAIL["EMAIL_USE_SSL"]
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "certifier@localhost")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "certifier.audit.request_id.RequestIdFilter"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["request_id"],
            "stream": sys.stderr,
        }
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "INFO")},
}

# With a key /metrics wants it as bearer token; without one it answers to this machine only.
METRICS_KEY = env.str("METRICS_KEY", "")
