from __future__ import annotations

from django.urls import path

from . import views

app_name = "ops"
urlpatterns = [
    path("jobs/", views.jobs, name="jobs"),
    path("jobs/<int:pk>/", views.job, name="job"),
    path("jobs/<int:pk>/start-again/", views.start_again, name="start_again"),
    path("jobs/<int:pk>/acknowledge/", views.acknowledge, name="acknowledge"),
]
