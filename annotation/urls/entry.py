from django.urls import path

from annotation.views import entry, invitations

urlpatterns = [
    path("join/<str:token>/", invitations.join, name="join"),
    path("enter/<int:study_id>/", entry.entry, name="entry"),
    path("enter/<int:study_id>/consent", entry.consent, name="consent"),
    path("enter/<int:study_id>/withdraw", entry.withdraw, name="withdraw_consent"),
    path("enter/<int:study_id>/done", entry.done, name="entry_done"),
    path("enter/<int:study_id>/steps/<str:step>/", entry.entry_step, name="entry_step"),
    path("enter/<int:study_id>/steps/<str:step>/begin", entry.begin_step, name="begin_step"),
    path("enter/<int:study_id>/steps/<str:step>/example/<int:part>", entry.example, name="step_example"),
    path("enter/attempts/<str:key>/", entry.attempt, name="attempt"),
    path("enter/attempts/<str:key>/<int:number>/answer", entry.answer_trial, name="answer_trial"),
    path("enter/attempts/<str:key>/<int:number>/<int:part>", entry.stimulus, name="stimulus"),
    path("studies/<int:study_id>/invitations/", invitations.invitations, name="invitations"),
    path(
        "studies/<int:study_id>/invitations/<int:invitation_id>/withdraw",
        invitations.withdraw_invitation,
        name="withdraw_invitation",
    ),
    path("studies/<int:study_id>/entry", invitations.study_entry, name="study_entry"),
    path("work/time.csv", entry.time_sheet, name="time_sheet"),
]
