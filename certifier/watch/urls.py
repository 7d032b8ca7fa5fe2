from __future__ import annotations

from django.urls import path

from . import views

app_name = "watch"
urlpatterns = [
    path("", views.guarantees, name="guarantees"),
    path("<str:code>/", views.guarantee, name="guarantee"),
    path("<str:code>/look/", views.look, name="look"),
]
