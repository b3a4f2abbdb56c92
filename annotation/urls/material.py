from django.urls import path

from annotation.views import material

urlpatterns = [path("material/<slug:name>.wav", material.example, name="material")]
