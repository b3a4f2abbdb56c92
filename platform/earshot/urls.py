"""The map of addresses. The floors above are named as strings, so that this file imports none of them."""

from django.conf import settings
from django.urls import include, path
from django.views.generic import TemplateView

from earshot.accounts.views import home
from earshot.jobs.views import health

urlpatterns = [
    path("", home, name="home"),
    path("healthz", health, name="health"),
    path("account/", include("allauth.urls")),
    path("", include("earshot.languages.urls")),
    path("", include("earshot.accounts.urls")),
    path("", include("earshot.jobs.urls")),
    path("", include("annotation.urls")),
    path("", include("rewardmodel.urls")),
    path("", include("policy.urls")),
]
if settings.DEBUG:
    urlpatterns += [path("styleguide/", TemplateView.as_view(template_name="styleguide.html"), name="styleguide")]
