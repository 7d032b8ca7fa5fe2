from __future__ import annotations

from django.urls import path

from . import acts, bulk_pages, views

app_name = "queue"
urlpatterns = [
    path("", views.queue_page, name="queue"),
    path("agreement/", views.agreement_page, name="agreement"),
    path("not-scored/", views.not_scored, name="not-scored"),
    path("bulk/", bulk_pages.bulk, name="bulk"),
    path("next/", acts.next_item, name="next"),
    path("<int:pk>/", views.item_page, name="item"),
    path("<int:pk>/evidence/", views.evidence, name="evidence"),
    path("<int:pk>/decide/", acts.decide, name="decide"),
    path("<int:pk>/skip/", acts.skip, name="skip"),
    path("<int:pk>/comment/", acts.comment, name="comment"),
    path("<int:pk>/claim/", acts.claim, name="claim"),
    path("<int:pk>/renew/", acts.renew, name="renew"),
    path("<int:pk>/release/", acts.release, name="release"),
    path("<int:pk>/take-over/", acts.take_over, name="take-over"),
    path("decisions/<int:pk>/undo/", acts.undo, name="undo"),
]
