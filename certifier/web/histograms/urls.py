from __future__ import annotations

from django.urls import path

from . import views

app_name = "histograms"
urlpatterns = [
    path("", views.catalogue, name="catalogue"),
    path("runs/<int:number>/", views.run, name="run"),
    path("champion/<int:number>/<path:path>/", views.champion, name="champion"),
    path("runs/<int:number>/<path:path>/", views.element, name="element"),
]
