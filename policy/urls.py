from django.urls import path

from policy.views import policies, rounds

app_name = "policy"
urlpatterns = [
    path("policies/", policies.policies, name="policies"),
    path("policies/new", policies.policy_new, name="policy_new"),
    path("policies/jobs/<uuid:job_id>/", policies.policy_job, name="policy_job"),
    path("policies/<int:pk>/", policies.policy, name="policy"),
    path("policies/<int:pk>/speak", policies.speak, name="speak"),
    path("policies/<int:pk>/speeches/<int:speech_id>/", policies.speech, name="speech"),
    path("policies/<int:pk>/download", policies.policy_download, name="policy_download"),
    path("rounds/", rounds.rounds, name="rounds"),
    path("rounds/new", rounds.round_new, name="round_new"),
    path("rounds/<int:pk>/", rounds.round_, name="round"),
]
