from django.urls import URLPattern, path

from earshot.accounts import views

app_name = "accounts"
urlpatterns: list[URLPattern] = [
    path("users/", views.users, name="users"),
    path("users/new/", views.add_user, name="add_user"),
    path("users/<int:user_id>/", views.user_detail, name="user"),
    path("users/<int:user_id>/invite", views.invite, name="invite"),
    path("audit/", views.audit, name="audit"),
    path("profile/", views.profile, name="profile"),
    path("profile/sign-out-everywhere", views.sign_out_everywhere, name="sign_out_everywhere"),
]
