from django.urls import path

from annotation.views import adjudication, quality, raters

urlpatterns = [
    path("studies/<int:study_id>/checks/", quality.study_checks, name="study_checks"),
    path("studies/<int:study_id>/checks/progress", quality.checks_progress, name="checks_progress"),
    path("studies/<int:study_id>/checks/<int:pair_id>/", quality.check, name="check"),
    path("studies/<int:study_id>/checks/<int:pair_id>/take-out", quality.take_out_check, name="take_out_check"),
    path("studies/<int:study_id>/checks/<int:pair_id>/put-back", quality.put_back_check, name="put_back_check"),
    path("studies/<int:study_id>/checks/<int:pair_id>/<str:letter>/sound", quality.check_sound, name="check_sound"),
    path("studies/<int:study_id>/pairs/<int:pair_id>/gold", quality.declare_gold, name="declare_gold"),
    path("studies/<int:study_id>/raters/", raters.rater_checks, name="rater_checks"),
    path("studies/<int:study_id>/raters/<int:rater_id>/exclude", raters.exclude_rater, name="exclude_rater"),
    path("studies/<int:study_id>/exclusions/<int:exclusion_id>/lift", raters.lift_exclusion, name="lift_exclusion"),
    path("studies/<int:study_id>/adjudications/", adjudication.study_adjudications, name="study_adjudications"),
    path(
        "studies/<int:study_id>/pairs/<int:pair_id>/adjudicate",
        adjudication.request_adjudication,
        name="request_adjudication",
    ),
    path(
        "studies/<int:study_id>/adjudications/<int:adjudication_id>/take-back",
        adjudication.take_back_adjudication,
        name="take_back_adjudication",
    ),
    path("adjudications/", adjudication.my_adjudications, name="my_adjudications"),
    path("adjudications/<int:adjudication_id>/begin", adjudication.begin_adjudication, name="begin_adjudication"),
]
