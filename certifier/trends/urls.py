from __future__ import annotations

from django.urls import path

from . import views

app_name = "trends"
urlpatterns = [
    path("", views.trends, name="trends"),
    path("draw/", views.draw, name="draw"),
    path("draw/points.csv", views.points, name="points"),
    path("keep/", views.keep, name="keep"),
    path("<int:pk>/put-away/", views.put_away, name="put-away"),
]
