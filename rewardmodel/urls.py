from django.urls import path

from rewardmodel import views

app_name = "rewardmodel"
urlpatterns = [
    path("reward-models/", views.runs, name="runs"),
    path("reward-models/new", views.run_new, name="run_new"),
    path("reward-models/<int:pk>/", views.run, name="run"),
    path("reward-models/<int:pk>/download", views.run_download, name="run_download"),
]
