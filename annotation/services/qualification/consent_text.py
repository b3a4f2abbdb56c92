"""What people agree to: the study's own text, or the usual one. A version is the hash of the original."""

import hashlib

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from annotation.models import Study
from annotation.queries.wording import for_reader

USUAL_TEXT = (
    _(
        "You listen to pairs of spoken dialogues and say which of the two you would rather be in, and why. The voices "
        "may come from a machine. Your answers are used to measure such voices and to teach machines to speak better."
    ),
    _(
        "Stored are your answers, your marks and notes, what you played and for how long, how long a pair took, and "
        "the results of the hearing and training steps. Your microphone is never used. Researchers of this study see "
        "your name; data that leave this installation carry a number in its place."
    ),
    _(
        "The hearing steps are no medical test. Keep the volume comfortable, take breaks, and skip whatever you would "
        "rather not hear."
    ),
    _(
        "Taking part is voluntary. You may stop at any time, without a reason, and take your consent back on your "
        "work page. No pair is lent to you then. Judgments that you gave stay in data sets that were already made, "
        "and are left out of all later ones."
    ),
)


def version_of(study: Study) -> str:
    """SHA-256 of the text as it was written, so the same for readers of every language."""
    return hash_of(study.consent_text.strip() or "\n\n".join(USUAL_TEXT))


def hash_of(text: str) -> str:
    """SHA-256, in hex. The page sends that of the words it showed: nobody agrees to others."""
    return hashlib.sha256(text.encode()).hexdigest()


def text_for_reader(study: Study) -> str:
    """The text in the language of the page that is being made; paragraphs stand apart by an empty line."""
    if study.consent_text.strip():
        return str(for_reader(study, "consent_text"))
    return "\n\n".join(gettext(paragraph) for paragraph in USUAL_TEXT)
