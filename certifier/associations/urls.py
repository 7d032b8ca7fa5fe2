from __future__ import annotations

from django.urls import path

from . import views

app_name = "associations"
urlpatterns = [
    path("defects/<str:name>/", views.of_defect, name="defect"),
    path("runs/<int:number>/", views.samples, name="samples"),
    path("map/<str:code>/", views.runs_map, name="map"),
    path("elements/<path:path>/", views.of_element, name="element"),
]
