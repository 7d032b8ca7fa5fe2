from __future__ import annotations

from django.urls import path

from . import views

app_name = "sync"
urlpatterns = [
    path("", views.sources, name="sources"),
    path("<str:name>/follow/", views.follow, name="follow"),
]
