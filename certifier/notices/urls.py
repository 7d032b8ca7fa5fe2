from __future__ import annotations

from django.urls import path

from . import views, webhook_views

app_name = "notices"
urlpatterns = [
    path("", views.notices, name="notices"),
    path("read/", views.read, name="read"),
    path("<int:pk>/open/", views.open_notice, name="open"),
    path("settings/", views.settings_page, name="settings"),
    path("webhooks/", webhook_views.webhooks, name="webhooks"),
    path("webhooks/<int:pk>/", webhook_views.webhook, name="webhook"),
    path("webhooks/<int:pk>/test/", webhook_views.test, name="test"),
    path("webhooks/<int:pk>/switch/", webhook_views.switch, name="switch"),
    path("webhooks/<int:pk>/secret/", webhook_views.renew_secret, name="renew-secret"),
    path("deliveries/<int:pk>/again/", webhook_views.send_again, name="send-again"),
]
