"""What of a snapshot is learned from, and what stays out."""

import numpy as np
import pytest

from rewardmodel.learning.judgments import read_judgments
from tests.rewardmodel.synthetic import change_row, write_synthetic_snapshot


def small(folder, change=lambda judgments, scores, pairs: None, **options):
    return write_synthetic_snapshot(folder / "s", n_scenarios=2, per_scenario=3, change=change, **options)


def test_votes_are_read_per_dimension_in_the_rubrics_order(tmp_path):
    found = read_judgments(small(tmp_path))

    votes, is_scored = found.vote_table()

    assert found.dimensions == ("prosody", "overall")
    assert votes.shape == (6, 2)
    assert is_scored.all()
    assert (votes[:, 0] == votes[:, 1]).all()


def test_both_bad_and_cannot_tell_are_no_ties_but_masked_and_counted(tmp_path):
    def change(judgments, scores, pairs):
        change_row(scores, 0, value=None, kind="both_bad")
        change_row(scores, 2, value=None, kind="cannot_tell")
        change_row(scores, 3, value=None, kind="cannot_tell")

    found = read_judgments(small(tmp_path, change))

    _, is_scored = found.vote_table()
    assert found.left_out == {"both_bad": 1, "cannot_tell": 2}
    assert is_scored.tolist() == [[False, True], [True, True], [True, True], [True, True], [True, True]]


def test_gold_failed_and_identical_pairs_tell_about_raters_and_stay_out(tmp_path):
    def change(judgments, scores, pairs):
        change_row(judgments, 0, pair_kind="gold")
        change_row(judgments, 1, pair_kind="identical")
        change_row(judgments, 2, quality="fail")
        change_row(judgments, 3, pair_kind="repeat")

    found = read_judgments(small(tmp_path, change))

    assert len(found.judged) == 3
    assert found.left_out == {"gold": 1, "identical": 1, "quality_fail": 1}


def test_a_split_holds_its_scenarios_alone(higher_is_better):
    parts = [set(read_judgments(higher_is_better, split).scenarios) for split in ("train", "validation", "test")]

    assert all(parts)
    assert sum(map(len, parts)) == len(set().union(*parts)) == len(read_judgments(higher_is_better).scenarios)


def test_an_unknown_or_empty_split_is_refused(tmp_path):
    snapshot = small(tmp_path)

    with pytest.raises(ValueError, match="no split 'dev'"):
        read_judgments(snapshot, "dev")
    with pytest.raises(ValueError, match="no scored judgment in its split 'validation'"):
        read_judgments(snapshot, "validation")


def test_shuffled_votes_are_the_same_votes_on_other_pairs(higher_is_better):
    judgments = read_judgments(higher_is_better)

    shuffled, again = (judgments.with_shuffled_votes(seed) for seed in (1, 1))

    sizes = [np.sort(np.abs(each.vote_table()[0][:, 0])).tolist() for each in (judgments, shuffled)]
    assert sizes[0] == sizes[1]
    assert (judgments.vote_table()[0] != shuffled.vote_table()[0]).any()
    assert (shuffled.vote_table()[0] == again.vote_table()[0]).all()
