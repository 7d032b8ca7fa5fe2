from __future__ import annotations

from django.urls import path

from . import views
from .recording import views as recording
from .styleguide import styleguide

app_name = "web"
urlpatterns = [
    path("", views.home, name="home"),
    path("runs/", views.runs, name="runs"),
    path("runs/<int:number>/", views.run, name="run"),
    path("runs/<int:number>/record/", recording.record, name="record"),
    path("runs/<int:number>/record/preview/", recording.preview, name="preview"),
    path("runs/<int:number>/record/defects/", recording.choices, name="choices"),
    path("runs/<int:number>/record/undo/", recording.undo, name="undo"),
    path("styleguide/", styleguide, name="styleguide"),
]
