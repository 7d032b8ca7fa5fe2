"""WSGI entry point: `gunicorn certifier.wsgi`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "certifier.settings")
application = get_wsgi_application()
