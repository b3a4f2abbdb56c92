from django.urls import path

from annotation.views import snapshots

urlpatterns = [
    path("snapshots/", snapshots.snapshots, name="snapshots"),
    path("snapshots/<int:pk>/", snapshots.snapshot, name="snapshot"),
    path("snapshots/<int:pk>/download", snapshots.snapshot_download, name="snapshot_download"),
    path("studies/<int:study_id>/snapshots/new", snapshots.snapshot_new, name="snapshot_new"),
    path("studies/<int:study_id>/snapshots/jobs/<uuid:job_id>/", snapshots.snapshot_job, name="snapshot_job"),
]
