from django.urls import path, re_path

from annotation.views import examples, languages, members, pairs, rubric, studies

urlpatterns = [
    path("studies/", studies.studies, name="studies"),
    path("studies/new", studies.new_study, name="new_study"),
    path("studies/<int:study_id>/", studies.study, name="study"),
    path("studies/<int:study_id>/edit", studies.edit_study, name="edit_study"),
    path("studies/<int:study_id>/rubric", rubric.edit_rubric, name="edit_rubric"),
    path("studies/<int:study_id>/rubric/preview", rubric.preview_rubric, name="preview_rubric"),
    path("studies/<int:study_id>/rubric/<slug:key>/examples", examples.edit_examples, name="edit_examples"),
    path(
        "studies/<int:study_id>/rubric/<slug:key>/examples/<int:place>/remove",
        examples.remove_example,
        name="remove_example",
    ),
    path("studies/<int:study_id>/examples/<slug:name>", examples.own_example, name="own_example"),
    path("studies/<int:study_id>/languages", languages.edit_languages, name="edit_languages"),
    path("studies/<int:study_id>/copy", studies.copy_study, name="copy_study"),
    path("studies/<int:study_id>/pilot", studies.new_pilot, name="new_pilot"),
    re_path(
        r"^studies/(?P<study_id>\d{1,18})/become/(?P<state>running|paused|finished)$",
        studies.change_study_state,
        name="change_study_state",
    ),
    path("studies/<int:study_id>/members/", members.members, name="members"),
    path("studies/<int:study_id>/members/group", members.set_group, name="set_group"),
    path("studies/<int:study_id>/members/<int:membership_id>/remove", members.remove_member, name="remove_member"),
    path("studies/<int:study_id>/pairs/", pairs.study_pairs, name="study_pairs"),
    path("studies/<int:study_id>/pairs/add", pairs.add_pairs, name="add_pairs"),
    path("studies/<int:study_id>/pairs/<int:pair_id>/", pairs.pair, name="pair"),
]
