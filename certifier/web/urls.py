from __future__ import annotations

from django.urls import path

from . import hand_over, range_history, runs_page, views, weekly_report
from .recording import views as recording
from .styleguide import styleguide

app_name = "web"
urlpatterns = [
    path("", views.home, name="home"),
    path("runs/", runs_page.runs, name="runs"),
    path("runs/<int:number>/", views.run, name="run"),
    path("runs/<int:number>/record/", recording.record, name="record"),
    path("runs/<int:number>/record/preview/", recording.preview, name="preview"),
    path("runs/<int:number>/record/defects/", recording.choices, name="choices"),
    path("runs/<int:number>/record/undo/", recording.undo, name="undo"),
    path("runs/<int:number>/history/", range_history.page, name="range-history"),
    path("reports/weekly/", weekly_report.weekly, name="weekly"),
    path("reports/shift/", hand_over.page, name="hand-over"),
    path("styleguide/", styleguide, name="styleguide"),
]
