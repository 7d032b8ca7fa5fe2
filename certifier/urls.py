"""Every address of the site: pages by room, REST below /api/, health beside them."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("certifier.web.urls")),
    path("account/", include("certifier.accounts.urls")),
    path("defects/", include("certifier.defects.urls")),
    path("histograms/", include("certifier.web.histograms.urls")),
    path("models/", include("certifier.precert.urls")),
    path("training/", include("certifier.training.urls")),
    path("guarantees/", include("certifier.watch.urls")),
    path("review/", include("certifier.web.review.urls")),
    path("sign-offs/", include("certifier.review.urls")),
    path("good-runs/", include("certifier.goodruns.urls")),
    path("associations/", include("certifier.associations.urls")),
    path("trends/", include("certifier.trends.urls")),
    path("notices/", include("certifier.notices.urls")),
    path("sources/", include("certifier.sync.urls")),
    path("ops/", include("certifier.ops.urls")),
    path("", include("certifier.ops.health")),
    path("api/", include("certifier.api.urls")),
    path("admin/", admin.site.urls),
]
