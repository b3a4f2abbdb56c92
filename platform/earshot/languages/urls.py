from django.urls import path

from earshot.languages import views

urlpatterns = [
    path("language", views.set_language, name="set_language"),
    path("words/<slug:language>.<slug:version>.js", views.Words.as_view(), name="words"),
]
