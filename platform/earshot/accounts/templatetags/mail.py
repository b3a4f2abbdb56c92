"""Where mail goes: pages promise none to an address when no mail server is set up."""

from django import template

from earshot.accounts import services

register = template.Library()


@register.simple_tag
def mail_is_logged() -> bool:
    return services.mail_is_logged()
