from __future__ import annotations

from django.urls import path

from . import definition_pages, entry_pages, sightings_page, tag_pages

app_name = "defects"
# A defect may be called anything, also "tags" or "upload": definitions have a prefix of their own.
urlpatterns = [
    path("", definition_pages.catalogue, name="catalogue"),
    path("seen/", sightings_page.page, name="sightings"),
    path("define/", definition_pages.define, name="define"),
    path("d/<str:name>/", definition_pages.definition, name="definition"),
    path("d/<str:name>/edit/", definition_pages.edit, name="edit"),
    path("upload/", entry_pages.upload_page, name="upload"),
    path("runs/<int:run>/history/", entry_pages.history, name="history"),
    path("tags/", tag_pages.tags, name="tags"),
    path("tags/<str:name>/", tag_pages.tag, name="tag"),
    path("tags/<str:a>/diff/<str:b>/", tag_pages.tag_diff_page, name="tag_diff"),
]
