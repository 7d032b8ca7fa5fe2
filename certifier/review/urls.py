from __future__ import annotations

from django.urls import path

from . import views

app_name = "review"
urlpatterns = [
    path("<int:run>/sign/", views.sign, name="sign"),
    path("<int:run>/reopen/", views.reopen, name="reopen"),
]
