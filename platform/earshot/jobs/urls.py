from django.urls import URLPattern, path

from earshot.jobs import views

app_name = "jobs"
urlpatterns: list[URLPattern] = [
    path("jobs/", views.job_list, name="list"),
    path("jobs/<uuid:job_id>/", views.detail, name="detail"),
    path("jobs/<uuid:job_id>/status", views.status, name="status"),
    path("jobs/<uuid:job_id>/progress", views.progress, name="progress"),
    path("jobs/<uuid:job_id>/curves", views.curves, name="curves"),
    path("jobs/<uuid:job_id>/log", views.log, name="log"),
    path("jobs/<uuid:job_id>/metrics", views.metrics, name="metrics"),
    path("jobs/<uuid:job_id>/artefacts/<int:artefact_id>", views.artefact, name="artefact"),
    path("jobs/<uuid:job_id>/cancel", views.cancel, name="cancel"),
    path("jobs/<uuid:job_id>/retry", views.retry, name="retry"),
]
