import pytest

from annotation.models import Judgment, Pair, QualityVerdict
from annotation.services import boards, judgments
from annotation.services.simulation import simulate_judgments
from tests.annotation.simulated import make_simulated_study
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study

pytestmark = pytest.mark.django_db


def judge(pair, value, annotator=None):
    lease = make_lease(pair, annotator)
    answer(lease, lease.shown_value(value))
    return judgments.submit(lease, at=NOW)


def test_a_study_without_votes_says_so_on_every_dimension():
    board = boards.study_board(make_study())

    assert [(each.key, each.reason, each.rows) for each in board.dimensions] == [
        (key, "no votes", ()) for key in ("prosody", "emotional_continuity", "immersion", "overall")
    ]
    assert (board.n_judgments, board.newest_at) == (0, None)


def test_simulated_votes_bring_back_the_order_in_which_the_systems_were_made():
    study = make_simulated_study(n_scenarios=12)
    simulate_judgments(study, n_raters=8, n_judgments=200, seed=2)

    board = boards.study_board(study)

    prosody = board.dimensions[0]
    assert [row.system for row in prosody.rows] == ["good", "fair", "poor"]
    assert prosody.reason == ""
    assert (prosody.rows[0].rank, prosody.rows[2].rank) == (1, 3)
    assert prosody.rows[0].low > prosody.rows[2].high
    assert prosody.rows[0].cmos > 0 > prosody.rows[2].cmos
    assert (prosody.n_votes, prosody.n_raters, prosody.n_pairs, prosody.n_scenarios) == (108, 8, 36, 12)
    assert prosody.agreement.alpha > 0.2
    assert 0.6 < prosody.ceiling.value < 1.0
    assert board.overall.key == "overall"


def test_a_board_follows_when_a_judgment_is_added_or_fails():
    study = make_study()
    pair = make_pair(study)
    judge(pair, 2)
    assert boards.study_board(study).overall.rows[0].cmos == 2.0

    judge(pair, -1)
    assert boards.study_board(study).overall.rows[0].cmos == pytest.approx(0.5)
    QualityVerdict.objects.filter(judgment=Judgment.objects.first()).update(verdict="fail")
    failed = boards.study_board(study)
    assert (failed.n_judgments, failed.n_failed, failed.overall.n_votes) == (1, 1, 1)


def test_answers_that_are_no_number_drafts_late_votes_and_checks_stay_out_of_the_ranking():
    study = make_study()
    pair = make_pair(study)
    judge(pair, 1)
    neither = make_lease(pair)
    answer(neither)
    judgments.save_draft(neither, scores={"overall": judgments.ShownScore(kind="both_bad")}, at=NOW)
    judgments.submit(neither, at=NOW)
    answer(make_lease(pair))  # a draft
    late = make_pair(study)
    lease = make_lease(late)
    answer(lease)
    judgments.submit(lease, at=lease.expires_at)
    judge(make_pair(study, kind=Pair.Kind.GOLD, expected_value=3), 3)

    board = boards.study_board(study)

    assert (board.n_judgments, board.overall.n_votes, board.overall.n_not_scored) == (2, 1, 1)
    assert board.dimensions[0].n_votes == 2


def test_another_studys_votes_do_not_count():
    mine, other = make_study(), make_study()
    judge(make_pair(other), 3, join(other))

    assert boards.study_board(mine).n_judgments == 0
