from __future__ import annotations

from django.urls import path

from . import checklist_pages, signing_pages, views

app_name = "review"
urlpatterns = [
    path("many/", signing_pages.bulk, name="bulk"),
    path("checklists/", checklist_pages.all_of_them, name="checklists"),
    path("checklists/<str:system>/<str:stage>/", checklist_pages.change, name="checklist"),
    path("<int:run>/sign/", views.sign, name="sign"),
    path("<int:run>/reopen/", views.reopen, name="reopen"),
    path("<int:run>/<str:system>/<str:stage>/", signing_pages.sign_page, name="stage"),
]
