"""What the database itself refuses, whatever the code above it does."""

import pytest
from django.db import Error, transaction

from annotation.models import Dimension, Pair, Score, Turn
from tests.factories import NOW, answer, make_dialogue, make_lease, make_pair, make_study, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def refused(write) -> str:
    with pytest.raises(Error) as caught, transaction.atomic():
        write()
    return str(caught.value)


def test_a_pair_of_two_scenarios_is_refused():
    pair = make_pair()
    pair.dialogue_b = make_dialogue()

    assert "both dialogues of a pair must be of its scenario" in refused(pair.save)


def test_the_same_two_dialogues_in_the_other_order_are_refused():
    pair = make_pair()

    write = lambda: make_pair(  # noqa: E731
        pair.study, scenario=pair.scenario, dialogue_a=pair.dialogue_b, dialogue_b=pair.dialogue_a
    )

    assert "one_regular_pair" in refused(write)


def test_seats_below_0_are_refused():
    pair = make_pair(seats_left=0)

    assert "pair_seats_never_below_0" in refused(lambda: Pair.objects.filter(pk=pair.pk).update(seats_left=-1))


def test_a_turn_beyond_the_end_of_the_audio_is_refused():
    dialogue = make_dialogue()

    write = lambda: Turn.objects.create(  # noqa: E731
        dialogue=dialogue, position=2, scenario_turn=2, role="user", speaker="user", start=9.0, end=10.2
    )

    assert "a turn must end inside the audio of its dialogue" in refused(write)


def test_a_second_lease_of_one_pair_to_one_annotator_is_refused():
    lease = make_lease()

    lease.pk, lease.key = None, "another"

    assert "unique" in refused(lease.save).lower()


def test_the_question_of_a_dimension_with_scores_is_fixed():
    lease = make_lease()
    answer(lease)

    write = lambda: Dimension.objects.filter(key="prosody").update(question="Something else?")  # noqa: E731

    assert "a dimension with scores cannot change" in refused(write)


def test_overall_is_always_last():
    study = make_study()

    assert "overall_is_last" in refused(lambda: study.dimensions.filter(key="overall").update(position=0))


@pytest.mark.parametrize(("kind", "value"), [("scored", None), ("scored", 4), ("both_bad", 0), ("cannot_tell", 1)])
def test_a_score_whose_value_does_not_fit_its_kind_is_refused(kind, value):
    lease = make_lease()
    answer(lease)

    assert "score_value_fits_its_kind" in refused(lambda: Score.objects.update(kind=kind, value=value))


def test_a_snapshot_is_immutable():
    from annotation.models import Snapshot

    snapshot = Snapshot.objects.create(
        study=make_study(), name="first", content_id="0" * 64, archive_sha256="1" * 64, size_bytes=1, created_at=NOW
    )

    assert "a snapshot cannot change" in refused(
        lambda: Snapshot.objects.filter(pk=snapshot.pk).update(content_id="2" * 64)
    )


def test_two_users_whose_addresses_differ_only_in_case_are_refused():
    make_user(email="Ada@example.org")

    assert "one_user_per_address" in refused(lambda: make_user(email="ada@example.org"))
