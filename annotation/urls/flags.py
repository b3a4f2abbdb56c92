from django.urls import path

from annotation.views import flags

urlpatterns = [
    path("listen/<str:key>/flag", flags.flag_pair, name="flag_pair"),
    path("studies/<int:study_id>/flags/", flags.study_flags, name="study_flags"),
    path("studies/<int:study_id>/flags/<int:flag_id>/resolve", flags.resolve_flag, name="resolve_flag"),
    path("studies/<int:study_id>/flags/<int:flag_id>/reopen", flags.reopen_flag, name="reopen_flag"),
]
