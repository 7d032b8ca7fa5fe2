from __future__ import annotations

from django.urls import path

from . import build_pages, views

app_name = "goodruns"
urlpatterns = [
    path("", views.lists, name="lists"),
    path("build/", build_pages.build, name="build"),
    path("build/efficiency.csv", build_pages.efficiency_csv, name="build-efficiency"),
    path("import/", views.import_list, name="import"),
    path("combine/", views.combine, name="combine"),
    path("<int:pk>/", views.list_page, name="list"),
    path("<int:pk>/golden.json", views.download, {"form": "golden-json"}, name="golden-json"),
    path("<int:pk>/grl.xml", views.download, {"form": "grl-xml"}, name="grl-xml"),
    path("<int:pk>/list.csv", views.download, {"form": "csv"}, name="csv"),
    path("<int:pk>/efficiency.csv", views.efficiency_csv, name="efficiency"),
    path("<int:pk>/compare/", views.compare, name="compare"),
    path("<int:a>/diff/<int:b>/", views.diff, name="diff"),
]
