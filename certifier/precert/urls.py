from __future__ import annotations

from django.urls import path

from . import views

app_name = "precert"
urlpatterns = [
    path("", views.models, name="models"),
    path("<int:pk>/", views.model, name="model"),
    path("<int:pk>/curves/", views.curves, name="curves"),
    path("<int:pk>/promote/", views.promote, name="promote"),
    path("<int:pk>/shadow/", views.shadow, name="shadow"),
    path("<int:pk>/retire/", views.retire, name="retire"),
    path("systems/<str:code>/mode/", views.set_mode, name="set-mode"),
    path("systems/<str:code>/pause/", views.pause, name="pause"),
    path("systems/<str:code>/roll-back/", views.roll_back, name="roll-back"),
]
