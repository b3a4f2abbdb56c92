"""`manage.py collect_words`: bring locale/ up to date with what templates, Python and scripts say. Needs gettext."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.core.management.commands import makemessages
from django.utils.translation import to_locale

from earshot.languages.catalogue import DOMAINS, TRANSLATED_LANGUAGES

# The learning side and the commands speak to a terminal, not to a page.
LEFT_OUT = [
    *(".venv", "locale", "static/vendor", "tests", "docs", "deploy", "shared", "build", "dist"),
    *("*/learning/*", "*/management/*", "templates/styleguide.html", "static/js/styleguide.js"),
]
# As little as gettext needs, and no dates: the files change only when words do.
HEADER = """# {name}: the words of Earshot's {what}. docs/languages.md has the glossary.
msgid ""
msgstr ""
"Project-Id-Version: Earshot\\n"
"Language: {locale}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""


class MakeMessages(makemessages.Command):
    # A guess at a new sentence is worse than an empty entry, which a test finds.
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]

    def find_files(self, root: str) -> list[Any]:
        # By itself Django also writes into a folder `locale` of where it runs, whatever the settings say.
        self.locale_paths = [str(settings.LOCALE_PATHS[0])]
        return list(super().find_files(root))


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        Path(settings.LOCALE_PATHS[0]).mkdir(exist_ok=True)
        locales = [to_locale(language) for language in TRANSLATED_LANGUAGES]
        for domain in DOMAINS:
            call_command(
                MakeMessages(),
                domain=domain,
                locale=locales,
                add_location="file",
                no_wrap=True,
                no_obsolete=True,
                ignore_patterns=LEFT_OUT,
                verbosity=0,
            )
        for language in TRANSLATED_LANGUAGES:
            for domain in DOMAINS:
                _write_header(language, domain)


def _write_header(language: str, domain: str) -> None:
    locale = to_locale(language)
    path = Path(settings.LOCALE_PATHS[0]) / locale / "LC_MESSAGES" / f"{domain}.po"
    what = "pages" if domain == "django" else "scripts"
    header = HEADER.format(name=settings.KNOWN_LANGUAGES[language], what=what, locale=locale)
    entries = path.read_text(encoding="utf-8").split("\n\n", 1)[1]
    entries = entries.replace('msgstr[1] ""\n', "")  # English has two forms, Chinese and Japanese one
    path.write_text(header + entries.rstrip("\n") + "\n", encoding="utf-8")
