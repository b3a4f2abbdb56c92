from django.urls import path

from annotation.views import statistics

urlpatterns = [
    path("studies/<int:study_id>/statistics/", statistics.statistics, name="statistics"),
    path("studies/<int:study_id>/statistics/update", statistics.update_statistics, name="update_statistics"),
    path("studies/<int:study_id>/statistics/<slug:section>/", statistics.statistics, name="statistics"),
    path(
        "studies/<int:study_id>/statistics/<slug:section>/freshness",
        statistics.statistics_freshness,
        name="statistics_freshness",
    ),
    path(
        "studies/<int:study_id>/statistics/<slug:section>/<slug:name>.svg",
        statistics.statistics_picture,
        name="statistics_picture",
    ),
    path(
        "studies/<int:study_id>/statistics/<slug:section>/<slug:name>.csv",
        statistics.statistics_numbers,
        name="statistics_numbers",
    ),
]
