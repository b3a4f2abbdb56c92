"""`{% words_url %}`: where the scripts find their words, in the language of the page. `at|as_time`: a time."""

from datetime import datetime

from django import template
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from earshot.languages.catalogue import version

register = template.Library()


@register.simple_tag
def words_url() -> str:
    language = get_language() or "en"
    return reverse("words", kwargs={"language": language, "version": version(language)})


@register.filter
def as_time(at: datetime | None) -> SafeString:
    """What _time.html draws, as a value: for the middle of a translated sentence."""
    return render_to_string("_time.html", {"at": at})
