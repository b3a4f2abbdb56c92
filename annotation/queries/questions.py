"""The questions of a lease as its annotator sees them: in their order and language, with the answers so far."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from annotation.material import Excerpt
from annotation.models import Dimension, Judgment, Lease, Score
from annotation.queries.examples import examples_for
from annotation.queries.listening import questions_for
from annotation.queries.wording import for_reader, reader_language

# From much better to about the same, as DEGREES[3 - |value|]; a dimension may have four phrases of its own.
DEGREES = (
    gettext_lazy("much better"),
    gettext_lazy("better"),
    gettext_lazy("slightly better"),
    gettext_lazy("about the same"),
)
ANCHORS = {
    -3: gettext_lazy("A much better"),
    -2: gettext_lazy("A better"),
    -1: gettext_lazy("A slightly better"),
    0: gettext_lazy("About the same"),
    1: gettext_lazy("B slightly better"),
    2: gettext_lazy("B better"),
    3: gettext_lazy("B much better"),
}
NOT_A_NUMBER = (("both_bad", gettext_lazy("Both are bad"), "x"), ("cannot_tell", gettext_lazy("Cannot tell"), "u"))
CONFIDENCE = (
    (1, gettext_lazy("A guess")),
    (2, gettext_lazy("Not very sure")),
    (3, gettext_lazy("Fairly sure")),
    (4, gettext_lazy("Sure")),
    (5, gettext_lazy("Certain")),
)
SHORT_ANSWERS = {  # beside the question's name once it is answered; the others in the words of the scale
    "0": pgettext_lazy("answer", "same"),
    "both_bad": gettext_lazy("both bad"),
    "cannot_tell": gettext_lazy("cannot tell"),
}


@dataclass(frozen=True)
class Point:
    """One place on the scale."""

    value: int  # −3 left much better … +3 right much better
    words: str
    letter: str  # "a", "b", or nothing in the middle


@dataclass(frozen=True)
class Question:
    key: str
    name: str
    question: str
    help_text: str
    points: list[Point]
    examples: list[Excerpt]  # what the question means, to hear
    answer: str  # "-3" … "3", "both_bad", "cannot_tell", or nothing yet


def questions_with_answers(lease: Lease, judgment: Judgment | None) -> list[Question]:
    given: dict[int, Score] = {}
    if judgment is not None:
        given = {score.dimension_id: score for score in judgment.scores.all()}
    return [
        question_for_reader(dimension, answer=_shown_answer(lease, given.get(dimension.pk)))
        for dimension in questions_for(lease.annotator, lease.pair.study)
    ]


def question_for_reader(dimension: Dimension, *, answer: str = "") -> Question:
    """As whoever reads the page that is being made sees it; also of a dimension that is not stored yet."""
    return Question(
        key=dimension.key,
        name=for_reader(dimension, "name"),
        question=for_reader(dimension, "question"),
        help_text=for_reader(dimension, "help_text"),
        points=points_of(dimension),
        examples=examples_for(dimension, reader_language()),
        answer=answer,
    )


def points_of(dimension: Dimension) -> list[Point]:
    """The seven places of the dimension's scale, with its own phrases where it has them."""
    return scale(for_reader(dimension, "anchors"))


def scale(own: Sequence[str] = ()) -> list[Point]:
    """The seven places, in the usual words or in four phrases of its own, from much better to about the same."""
    return [Point(value, _words(value, own), "a" if value < 0 else "b" if value else "") for value in ANCHORS]


def _words(value: int, own: Sequence[str]) -> str:
    if not own:
        return str(ANCHORS[value])
    phrase = own[3 - abs(value)]
    if value == 0:
        return phrase[:1].upper() + phrase[1:]
    return f"{'A' if value < 0 else 'B'} {phrase}"


def degree_of(dimension: Dimension, value: int) -> str:
    """How much better, in words, without the side: 3 is "much better", 0 "about the same"."""
    degrees = for_reader(dimension, "anchors") or DEGREES
    return str(degrees[3 - abs(value)])


def _shown_answer(lease: Lease, score: Score | None) -> str:
    if score is None:
        return ""
    return score.kind if score.value is None else str(lease.shown_value(score.value))


def words_for_the_page() -> dict[str, object]:
    """What static/js/room_questions.js says by itself."""
    return {
        "answers": {key: str(words) for key, words in SHORT_ANSWERS.items()},
        "confidence": _("{n} of 5"),
        "missing": _("Still to answer: {names}."),
    }
