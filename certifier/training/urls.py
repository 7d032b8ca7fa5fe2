from __future__ import annotations

from django.urls import path

from . import recipe_pages, views

app_name = "training"
urlpatterns = [
    path("", views.systems, name="systems"),
    path("<str:code>/", views.system, name="system"),
    path("<str:code>/left-out/", views.leave_out, name="left-out"),
    path("<str:code>/now/", views.now, name="now"),
    path("<str:code>/train/", views.train, name="train"),
    path("<str:code>/pause/", views.pause, name="pause"),
    path("<str:code>/recipe/", recipe_pages.recipe, name="recipe"),
    path("<str:code>/resume/", views.resume, name="resume"),
]
