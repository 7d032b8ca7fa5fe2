"""WSGI entry point: `gunicorn certifier.wsgi`."""

from __future__ import annotations

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "certifier.settings")
application = get_wsgi_application()

# The program itself, some hundred thousand objects, is there to stay: looking through it for garbage now and then made
# one answer in twenty wait a tenth of a second longer.
get_resolver().url_patterns  # noqa: B018  # loads every page and what it needs
gc.collect()
gc.freeze()
# Pages make ten thousands of objects and little that refers to itself. By default one answer in sixteen waited for a
# look through all of them; so it is one in eighty.
gc.set_threshold(10_000, 10, 10)
