"""The examples to hear beside a question: the study's own in the reader's language, else those that are shipped."""

from django.http import Http404
from django.urls import reverse

from annotation.material import Excerpt
from annotation.material import examples_of as shipped_examples
from annotation.models import Dimension, Study

NAME_LENGTH = 16  # hexadecimal digits of the sound's hash


def examples_for(dimension: Dimension, language: str) -> list[Excerpt]:
    """Own examples in this language; without any, own ones of the study's language; without any, the shipped ones."""
    for wanted in (language, dimension.study.language):
        own = [each for each in dimension.examples if each["language"] == wanted]
        if own:
            return [Excerpt(each["side"], each["words"], address_of(dimension, each["sha256"])) for each in own]
    return shipped_examples(dimension.key, language)


def address_of(dimension: Dimension, sha256: str) -> str:
    return reverse("annotation:own_example", args=[dimension.study_id, sha256[:NAME_LENGTH]])


def example_named(study: Study, name: str) -> str:
    """The SHA-256 of this example of the study.

    Raises:
        Http404: if the study has none of this name.
    """
    for examples in study.dimensions.values_list("examples", flat=True):
        for each in examples:
            if each["sha256"][:NAME_LENGTH] == name:
                return str(each["sha256"])
    raise Http404("This study has no example of this name.")
