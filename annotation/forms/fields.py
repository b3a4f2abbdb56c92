"""Fields that say in a form's words what the settings of a study hold: groups, quotas, one pair in so many."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

LONGEST_GROUP = 40  # characters, as memberships name them


def clean_group(name: str) -> str:
    """A rater group's name with single spaces.

    Raises:
        ValidationError: if it could not be named among others, where commas and colons part groups, or is too long.
    """
    name = " ".join(name.split())
    if "," in name or ":" in name:
        raise ValidationError(_("'%(name)s' has a comma or a colon. Name the group without.") % {"name": name})
    if len(name) > LONGEST_GROUP:
        raise ValidationError(
            _("'%(name)s' has %(n)d characters; a group's name has at most %(most)d. Shorten it.")
            % {"name": name, "n": len(name), "most": LONGEST_GROUP}
        )
    return name


class GroupsField(forms.CharField):
    """ "native, expert" ↔ ["native", "expert"]."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        names = [clean_group(name) for name in text.split(",") if name.strip()]
        return list(dict.fromkeys(names))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return changed(self, initial, data)


class QuotasField(forms.CharField):
    """One "native: 300" per line ↔ {"native": 300}."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{name}: {most}" for name, most in value.items())

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        return dict(quota_in(line) for line in text.splitlines() if line.strip())

    def has_changed(self, initial: Any, data: Any) -> bool:
        return changed(self, initial, data)


def quota_in(line: str) -> tuple[str, int]:
    """ "native: 300" → ("native", 300)."""
    name, _colon, most = line.rpartition(":")
    if not name.strip() or not most.strip().isdecimal() or int(most) < 1 or int(most) > 2**31 - 1:
        raise ValidationError(
            _("'%(line)s' is no quota. Write a group and how many judgments it gives at most, such as native: 300.")
            % {"line": line.strip()}
        )
    return clean_group(name), int(most)


class OneInField(forms.FloatField):
    """6 ↔ 1/6 of all: what is asked is how many there are to one. Empty for none."""

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, float):
            return value
        return f"{1 / value:.4g}" if value else ""

    def to_python(self, value: Any) -> Any:
        number = super().to_python(value)
        if number is None:
            return 0.0
        if not 2 <= number <= 1000:
            raise ValidationError(
                _("One in %(n)s cannot be. Use a number from 2 to 1000, or leave it empty for none.")
                % {"n": f"{number:g}"}
            )
        return 1 / number

    def has_changed(self, initial: Any, data: Any) -> bool:
        return str(self.prepare_value(initial)) != str(data or "").strip()


def changed(field: forms.Field, initial: Any, data: Any) -> bool:
    """By what the field holds, not by how it is written."""
    try:
        return bool(field.to_python(data) != (initial or field.to_python("")))
    except ValidationError:
        return True
