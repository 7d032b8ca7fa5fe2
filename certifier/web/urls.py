from __future__ import annotations

from django.urls import path

from . import views
from .styleguide import styleguide

app_name = "web"
urlpatterns = [
    path("", views.home, name="home"),
    path("runs/", views.runs, name="runs"),
    path("runs/<int:number>/", views.run, name="run"),
    path("styleguide/", styleguide, name="styleguide"),
]
