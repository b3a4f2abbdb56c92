"""The choice of a language, and the words of the scripts."""

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import translation
from django.views.decorators.http import require_POST
from django.views.i18n import JavaScriptCatalog
from django.views.i18n import set_language as django_set_language

from earshot.accounts.models import User
from earshot.languages.catalogue import version
from earshot.languages.choosing import is_offered, keep_choice

A_YEAR = 365 * 24 * 3600


@require_POST
def set_language(request: HttpRequest) -> HttpResponseBase:
    """Django's view (the cookie, and back to `next` on this host); who is signed in keeps the choice on their account.

    A language that is not offered changes nothing.
    """
    language = request.POST.get("language", "")
    response = django_set_language(request)
    if not is_offered(language):
        response.cookies.clear()
    elif isinstance(request.user, User):
        keep_choice(request.user, language, response)
    return response


class Words(JavaScriptCatalog):
    """What the scripts say, in one language: `earshotWords`, which static/js/words.js reads.

    Django's own functions for it are left out: they cost the listening page 1.3 KiB. Who is signed in does not
    matter, and the address names the version, so browsers keep the answer.
    """

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        language = kwargs["language"]
        if not is_offered(language):
            raise Http404(f"{language} is not a language of Earshot.")
        with translation.override(language):
            response = super().get(request)
        response["Content-Language"] = language
        is_known = kwargs["version"] == version(language)
        response["Cache-Control"] = f"public, max-age={A_YEAR}, immutable" if is_known else "no-cache"
        return response

    def render_to_response(self, context: dict[str, Any], **response_kwargs: Any) -> HttpResponse:
        catalogue = json.dumps(context["catalog"], ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        plural = context["plural"] or "n != 1"
        script = f"globalThis.earshotWords = {{catalogue: {catalogue}, plural: (n) => Number({plural})}};\n"
        return HttpResponse(script, content_type="text/javascript; charset=utf-8")
