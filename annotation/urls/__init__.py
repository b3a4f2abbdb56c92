"""The addresses of annotation, one module per subject."""

from annotation.urls import dialogues, listening, snapshots, studies

app_name = "annotation"
urlpatterns = [*dialogues.urlpatterns, *listening.urlpatterns, *studies.urlpatterns, *snapshots.urlpatterns]
