"""Numbers about sound, as people read them."""

from django import template

register = template.Library()


@register.filter
def clock(seconds: float) -> str:
    """83.4 → 1:23, 3723 → 1:02:03."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


@register.filter
def signed(value: float) -> str:
    """3.14 → +3.1, −0.2: one decimal with a true minus sign."""
    text = f"{value:+.1f}"
    return text.replace("-", "−") if float(text) else "0.0"


@register.filter
def percent(share: float) -> str:
    """0.336 → 34 %."""
    return f"{share:.0%}".replace("%", " %")
