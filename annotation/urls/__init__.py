"""The addresses of annotation, one module per subject."""

from annotation.urls import dialogues, entry, flags, listening, material, quality, snapshots, statistics, studies

app_name = "annotation"
urlpatterns = [*dialogues.urlpatterns, *listening.urlpatterns, *studies.urlpatterns, *snapshots.urlpatterns]
urlpatterns += [*flags.urlpatterns, *material.urlpatterns, *entry.urlpatterns]
urlpatterns += [*quality.urlpatterns, *statistics.urlpatterns]
