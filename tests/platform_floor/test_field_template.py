"""templates/_field.html: every kind of field has a name, and its help and errors belong to it."""

import re

import pytest
from django import forms
from django.template.loader import render_to_string


class Trip(forms.Form):
    days = forms.MultipleChoiceField(
        label="Days",
        choices=[("sat", "Saturday"), ("sun", "Sunday <late>")],
        widget=forms.CheckboxSelectMultiple,
        help_text="Any number.",
    )
    meal = forms.ChoiceField(label="Meal", choices=[("a", "Apple"), ("b", "Bread")], widget=forms.RadioSelect)
    guests = forms.MultipleChoiceField(
        label="Guests", choices=[("eve", "Eve")], widget=forms.CheckboxSelectMultiple, required=False
    )
    agree = forms.BooleanField(label="I agree")
    name = forms.CharField(label="Name", required=False)


def render(form: forms.Form, name: str, **context) -> str:
    html = render_to_string("_field.html", {"field": form[name], **context})
    return re.sub(r">\s+<", "><", html.strip())


@pytest.mark.parametrize(("name", "kind"), [("days", "checkbox"), ("meal", "radio")])
def test_choices_stand_under_a_legend_one_line_each(name, kind):
    html = render(Trip(), name)

    assert html.startswith('<fieldset class="field"')
    assert html.count(f"<legend>{name.capitalize()}</legend>") == 1
    assert html.count('<li class="field check">') == 2
    labels = re.findall(r'<label for="([^"]+)">', html)
    assert labels == re.findall(rf'<input type="{kind}"[^>]* id="([^"]+)"', html) == [f"id_{name}_0", f"id_{name}_1"]


def test_choices_are_escaped():
    assert "Sunday &lt;late&gt;" in render(Trip(), "days")


def test_help_and_errors_describe_the_group():
    html = render(Trip({"meal": "c"}), "days")

    assert 'aria-describedby="id_days_helptext id_days_error"' in html
    assert html.count('id="id_days_helptext"') == html.count('id="id_days_error"') == 1
    assert "This field is required." in html


def test_what_may_stay_empty_says_so():
    assert "(optional)" in render(Trip(), "guests")
    assert "(optional)" not in render(Trip(), "days")


def test_a_choice_that_was_made_comes_back():
    html = render(Trip({"days": ["sun"]}), "days")

    assert re.findall(r'value="(\w+)"[^>]* checked', html) == ["sun"]


def test_a_label_text_takes_the_labels_place():
    assert "<legend>When</legend>" in render(Trip(), "days", label_text="When")


def test_one_checkbox_and_one_line_of_text_keep_their_label():
    assert re.search(
        r'<div class="field check"><input type="checkbox"[^>]*><label for="id_agree">', render(Trip(), "agree")
    )
    assert render(Trip(), "name").startswith('<div class="field"><label for="id_name">Name ')
