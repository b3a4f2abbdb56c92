"""Values of a manifest's free fields, as people read them."""

import json

from django import template

register = template.Library()


@register.filter
def is_nested(value: object) -> bool:
    """Whether a value holds more than words and numbers in a row, so that it needs a block of its own."""
    if isinstance(value, dict):
        return True
    return isinstance(value, list) and any(isinstance(item, list | dict) for item in value)


@register.filter
def json_text(value: object) -> str:
    """None → none, ["demo", "rendered"] → demo, rendered; what is nested → indented JSON."""
    if is_nested(value):
        return json.dumps(value, ensure_ascii=False, indent=1)
    if isinstance(value, list):
        return ", ".join(json_text(item) for item in value)
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)
