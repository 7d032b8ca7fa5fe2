from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from . import filter_pages, people_pages, views

app_name = "accounts"
urlpatterns = [
    path("", views.profile, name="profile"),
    path("sign-in/", views.SignIn.as_view(), name="login"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("tokens/", views.make_token, name="make_token"),
    path("tokens/<int:token>/revoke/", views.revoke_token, name="revoke_token"),
    path("people/", people_pages.people, name="people"),
    path("people/<str:username>/", people_pages.person, name="person"),
    path("filters/", filter_pages.save_filter, name="save_filter"),
    path("filters/<int:key>/forget/", filter_pages.forget_filter, name="forget_filter"),
]
