"""A study's own words in the reader's language: `{{ study|title_for_reader }}`, `{{ dimension|for_reader:"name" }}`."""

from django import template

from annotation.queries import wording

register = template.Library()
register.filter(wording.for_reader)
register.filter(wording.title_for_reader)
