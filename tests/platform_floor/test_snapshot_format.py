"""The dataset snapshot: its content id, its files, what is derived, and what reading refuses."""

import hashlib
import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from earshot.formats.canonical import canonical_json, hashed_rows, row_json
from earshot.formats.snapshot import (
    CardFacts,
    JudgmentRow,
    MarkRow,
    PairRow,
    ScoreRow,
    SnapshotError,
    TurnRow,
    content_id,
    diff_snapshots,
    pseudonym,
    read_snapshot,
    split_of,
    write_snapshot,
)
from earshot.formats.tables import to_tables

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SOUND_A, SOUND_B = b"fLaC of a", b"fLaC of b"
HASH_A, HASH_B = hashlib.sha256(SOUND_A).hexdigest(), hashlib.sha256(SOUND_B).hexdigest()
RUBRIC = {"dimensions": [{"key": "prosody", "question": "Which sounds better?"}, {"key": "overall"}]}
FILTER = {"study": "s1", "quality": ["pass", "unknown"]}
# Computed apart from this code, with json and hashlib alone.
GOLDEN_ID = "a426bd5acba00814ff509400f965bdd55bd125b83d3975f922ef26ac9562d683"


def a_judgment(**changes):
    row = JudgmentRow(
        judgment_id="j1",
        study_id="s1",
        rubric_version=1,
        pair_id="p1",
        pair_kind="regular",
        rater="r-1",
        is_simulated=False,
        is_late=False,
        side_left="a",
        heard_first="b",
        confidence=4,
        reason="warmer",
        coverage_a=1.0,
        coverage_b=0.99,
        seconds_a=60.5,
        seconds_b=61.25,
        judging_seconds=150.0,
        stalls=0,
        transcript_condition="after_first_listen",
        headphones="passed",
        quality="pass",
        quality_reasons=("gold_right",),
        selection_probability=0.25,
        created_at=NOON,
    )
    return replace(row, **changes)


def a_pair(**changes):
    row = PairRow(
        pair_id="p1",
        scenario_id="sc1",
        system_a="x",
        system_b="y",
        dialogue_a="d1",
        dialogue_b="d2",
        audio_sha256_a=HASH_A,
        audio_sha256_b=HASH_B,
        seconds_a=60.0,
        seconds_b=61.0,
        lufs_a=-20.0,
        lufs_b=-19.5,
        gain_db_a=-3.0,
        gain_db_b=-3.5,
    )
    return replace(row, **changes)


def a_turn(**changes):
    row = TurnRow(
        dialogue_id="d1",
        turn=0,
        scenario_turn=1,
        role="user",
        speaker="Ann",
        start=0.0,
        end=2.5,
        text="Grüß Gott",
        times_estimated=False,
    )
    return replace(row, **changes)


def some_tables():
    return {
        "judgments": [a_judgment(), a_judgment(judgment_id="j2", rater="r-2", confidence=None)],
        "scores": [
            ScoreRow(judgment_id="j1", dimension="prosody", value=2, kind="scored"),
            ScoreRow(judgment_id="j1", dimension="overall", value=0, kind="scored"),
            ScoreRow(judgment_id="j2", dimension="prosody", value=-1, kind="scored"),
            ScoreRow(judgment_id="j2", dimension="overall", value=None, kind="both_bad"),
        ],
        "marks": [
            MarkRow(
                judgment_id="j1", dialogue_id="d1", turn=0, seconds=1.5, dimension=None, polarity="good", note="laughs"
            )
        ],
        "pairs": [a_pair()],
        "turns": [a_turn(), a_turn(turn=1, role="assistant", start=2.75, end=4.0)],
    }


def write(folder: Path, tables=None, **changes):
    values = {
        "rubric": RUBRIC,
        "filter": FILTER,
        "counts": {"in": 2, "out": {"quality_fail": 3}},
        "code_version": "abc",
        "parent": None,
        "audio": {HASH_A: folder.parent / "a.flac", HASH_B: folder.parent / "b.flac"},
        "created_at": NOON,
    }
    (folder.parent / "a.flac").write_bytes(SOUND_A)
    (folder.parent / "b.flac").write_bytes(SOUND_B)
    return write_snapshot(folder, some_tables() if tables is None else tables, **(values | changes))


def bytes_by_name(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_content_id_is_the_one_that_was_pinned():
    assert content_id(some_tables(), FILTER) == GOLDEN_ID


def test_content_id_does_not_depend_on_the_order_of_rows_or_filter_keys():
    backwards = {name: list(reversed(rows)) for name, rows in reversed(some_tables().items())}

    assert content_id(backwards, dict(reversed(FILTER.items()))) == content_id(some_tables(), FILTER)


def test_content_id_takes_streamed_rows():
    assert content_id({name: iter(rows) for name, rows in some_tables().items()}, FILTER) == GOLDEN_ID


def test_content_id_is_the_same_for_the_same_instant_in_another_zone():
    tables = some_tables()
    vienna = NOON.astimezone(timezone(timedelta(hours=1)))
    tables["judgments"] = [replace(row, created_at=vienna) for row in tables["judgments"]]

    assert content_id(tables, FILTER) == GOLDEN_ID


def test_content_id_sees_no_difference_beyond_nine_digits_or_between_zero_and_minus_zero():
    tables = some_tables()
    tables["pairs"] = [a_pair(seconds_a=60.000000000001)]
    tables["turns"][0] = a_turn(start=-0.0)

    assert content_id(tables, FILTER) == GOLDEN_ID


def test_content_id_does_not_depend_on_the_split():
    assert content_id(some_tables() | {"pairs": [a_pair(split="test")]}, FILTER) == GOLDEN_ID


OTHER_VALUES = {
    str: "other", int: 3, float: 0.125, bool: True, tuple: ("other",), datetime: NOON + timedelta(microseconds=1),
}  # fmt: skip
ENUMERATED = {
    "pair_kind": "gold", "side_left": "b", "heard_first": "a", "headphones": "failed", "quality": "fail",
    "polarity": "bad", "role": "assistant",
}  # fmt: skip


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (table, column)
        for table, rows in some_tables().items()
        for column in type(rows[0]).__dataclass_fields__
        if (table, column) not in {("pairs", "split"), ("scores", "kind")}
    ],
)
def test_content_id_changes_with_any_value(table, column):
    tables = some_tables()
    row = tables[table][0]
    other = ENUMERATED.get(column) or OTHER_VALUES[str if column == "dimension" else type(getattr(row, column))]
    assert other != getattr(row, column)

    tables[table] = [replace(row, **{column: other}), *tables[table][1:]]

    assert content_id(tables, FILTER) != GOLDEN_ID


def test_content_id_changes_with_the_filter_and_with_a_row_more_or_less():
    fewer = some_tables() | {"marks": []}
    twice = some_tables()
    twice["marks"] = twice["marks"] * 2

    ids = [
        content_id(some_tables(), FILTER | {"quality": ["pass"]}),
        content_id(fewer, FILTER),
        content_id(twice, FILTER),
        GOLDEN_ID,
    ]

    assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("table", "row", "words"),
    [
        ("judgments", a_judgment(coverage_a=math.nan), "nan is no finite number"),
        ("judgments", a_judgment(created_at=datetime(2026, 1, 1)), "no time zone"),
        ("judgments", a_judgment(pair_kind="odd"), "judgments.pair_kind is 'odd'"),
        ("judgments", a_judgment(stalls=True), "judgments.stalls is True"),
        ("judgments", a_judgment(rater=None), "judgments.rater is None"),
        ("judgments", a_judgment(reason="\ud800"), "judgments.reason is"),
        ("judgments", a_judgment(quality_reasons=["list"]), "judgments.quality_reasons is ['list']"),
        ("judgments", a_judgment(stalls=2**63), "judgments.stalls is 9223372036854775808"),
        ("scores", ScoreRow(judgment_id="j1", dimension="prosody", value=4, kind="scored"), "Score 4 of kind 'scored'"),
        ("scores", ScoreRow(judgment_id="j1", dimension="prosody", value=None, kind="scored"), "Score None"),
        ("scores", ScoreRow(judgment_id="j1", dimension="prosody", value=0, kind="both_bad"), "Score 0 of kind"),
        ("pairs", a_turn(), "holds a TurnRow"),
    ],
)
def test_a_bad_value_is_refused_with_its_place(table, row, words):
    with pytest.raises(SnapshotError) as caught:
        content_id(some_tables() | {table: [row]}, FILTER)

    assert words in str(caught.value)


def test_the_same_key_twice_is_refused():
    with pytest.raises(SnapshotError, match=r"2 rows of 'pairs' have the key \('p1',\)"):
        content_id(some_tables() | {"pairs": [a_pair(), a_pair(system_a="z")]}, FILTER)


def test_a_missing_table_is_refused():
    tables = some_tables()
    del tables["marks"]

    with pytest.raises(SnapshotError, match="Give all five"):
        content_id(tables, FILTER)


def test_a_snapshot_reads_back_as_it_was_written(tmp_path):
    manifest = write(tmp_path / "snapshot")

    snapshot = read_snapshot(tmp_path / "snapshot")

    assert snapshot.manifest == manifest
    assert manifest.id == GOLDEN_ID
    assert list(snapshot.rows("judgments")) == some_tables()["judgments"]
    assert list(snapshot.rows("turns")) == some_tables()["turns"]
    assert list(snapshot.rows("pairs")) == [a_pair(split=split_of("sc1"))]
    assert snapshot.audio_path(HASH_A).read_bytes() == SOUND_A
    assert manifest.dimensions == ("prosody", "overall")
    assert manifest.tables == {"judgments": 2, "marks": 1, "pairs": 1, "scores": 4, "turns": 2}
    assert not (tmp_path / "snapshot.partial").exists()


def test_content_id_of_tables_that_were_read_is_the_snapshots_id(tmp_path):
    write(tmp_path / "snapshot")
    snapshot = read_snapshot(tmp_path / "snapshot")

    tables = {name: snapshot.table(name) for name in ("judgments", "scores", "marks", "pairs", "turns")}

    assert content_id(tables, snapshot.manifest.filter) == snapshot.manifest.id


def test_the_same_rows_written_twice_give_the_same_bytes(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    backwards = {name: reversed(rows) for name, rows in some_tables().items()}

    write(tmp_path / "one" / "snapshot")
    write(tmp_path / "two" / "snapshot", backwards)

    assert bytes_by_name(tmp_path / "one" / "snapshot") == bytes_by_name(tmp_path / "two" / "snapshot")


def test_an_interrupted_write_is_finished_by_the_next_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "undisturbed").mkdir()
    write(tmp_path / "undisturbed" / "snapshot")
    with pytest.raises(SnapshotError, match="was not given"):
        write(tmp_path / "snapshot", audio={HASH_B: tmp_path / "b.flac"})  # copied first, as it sorts first
    assert (tmp_path / "snapshot.partial" / "audio" / f"{HASH_B}.flac").read_bytes() == SOUND_B
    (tmp_path / "snapshot.partial" / "audio" / "stale.flac").write_bytes(b"of other rows")
    (tmp_path / "snapshot.partial" / "audio" / f"{HASH_A}.flac").write_bytes(b"half")

    write(tmp_path / "snapshot")

    assert bytes_by_name(tmp_path / "snapshot") == bytes_by_name(tmp_path / "undisturbed" / "snapshot")


def test_a_sound_may_come_from_an_open_function(tmp_path):
    write(
        tmp_path / "snapshot",
        audio={HASH_A: lambda: (tmp_path / "a.flac").open("rb"), HASH_B: tmp_path / "b.flac"},
    )

    assert read_snapshot(tmp_path / "snapshot").audio_path(HASH_A).read_bytes() == SOUND_A


def test_a_sound_that_is_not_what_its_hash_says_is_refused(tmp_path):
    with pytest.raises(SnapshotError, match=f"The sound {HASH_B} has really the hash {HASH_A}"):
        write(tmp_path / "snapshot", audio={HASH_A: tmp_path / "a.flac", HASH_B: tmp_path / "a.flac"})

    assert not (tmp_path / "snapshot").exists()


def test_a_snapshot_is_never_written_over(tmp_path):
    write(tmp_path / "snapshot")

    with pytest.raises(SnapshotError, match="immutable"):
        write(tmp_path / "snapshot")


@pytest.mark.parametrize(
    ("table", "row", "name"),
    [
        ("judgments", a_judgment(judgment_id="j3", pair_id="p9"), "p9"),
        ("scores", ScoreRow(judgment_id="j9", dimension="prosody", value=1, kind="scored"), "j9"),
        ("scores", ScoreRow(judgment_id="j2", dimension="taste", value=1, kind="scored"), "taste"),
        ("turns", a_turn(dialogue_id="d9"), "d9"),
    ],
)
def test_a_row_that_points_nowhere_is_refused(tmp_path, table, row, name):
    tables = some_tables()
    tables[table] = [*tables[table], row]

    with pytest.raises(SnapshotError, match=f"1 rows of '{table}' name '{name}'"):
        write(tmp_path / "snapshot", tables)


def test_aggregates_are_the_ones_worked_by_hand(tmp_path):
    write(tmp_path / "snapshot")

    overall, prosody = read_snapshot(tmp_path / "snapshot").table("aggregates").to_pylist()

    # prosody: +2 and −1 → Beta(1.5, 1.5), which is symmetric; its central 95 % is known to be 0.0608 … 0.9392
    assert prosody == {
        "pair_id": "p1", "dimension": "prosody", "n_raters": 2, "n_scored": 2, "n_both_bad": 0, "n_cannot_tell": 0,
        "wins_a": 1, "ties": 0, "wins_b": 1, "cmos": 0.5, "posterior_a_wins": pytest.approx(0.5),
        "soft_label": 0.5, "interval_low": pytest.approx(0.0608, abs=1e-4),
        "interval_high": pytest.approx(0.9392, abs=1e-4), "margin": 0.0,
    }  # fmt: skip
    # overall: one tie and one "both bad" → Beta(1, 1), uniform
    assert overall == {
        "pair_id": "p1", "dimension": "overall", "n_raters": 2, "n_scored": 1, "n_both_bad": 1, "n_cannot_tell": 0,
        "wins_a": 0, "ties": 1, "wins_b": 0, "cmos": 0.0, "posterior_a_wins": 0.5, "soft_label": 0.5,
        "interval_low": 0.025, "interval_high": 0.975, "margin": 0.0,
    }  # fmt: skip


def test_three_wins_of_a_give_the_log_odds_of_seven_and_thirty_are_clipped(tmp_path):
    for folder, votes, margin in (("three", 3, math.log(7)), ("thirty", 30, 3.0)):
        tables = some_tables() | {
            "judgments": [a_judgment(judgment_id=f"j{i}", rater=f"r-{i}") for i in range(1, votes + 1)],
            "scores": [
                ScoreRow(judgment_id=f"j{i}", dimension="overall", value=3, kind="scored") for i in range(1, votes + 1)
            ],
        }
        write(tmp_path / folder, tables)

        (row,) = read_snapshot(tmp_path / folder).table("aggregates").to_pylist()

        assert (row["n_raters"], row["cmos"], row["margin"]) == (votes, 3.0, pytest.approx(margin))


def test_an_aggregate_without_any_score_says_so_with_none(tmp_path):
    tables = some_tables()
    tables["scores"] = [ScoreRow(judgment_id="j1", dimension="overall", value=None, kind="cannot_tell")]
    write(tmp_path / "snapshot", tables)

    (row,) = read_snapshot(tmp_path / "snapshot").table("aggregates").to_pylist()

    assert (row["n_scored"], row["n_cannot_tell"], row["cmos"], row["soft_label"]) == (0, 1, None, 0.5)


def test_a_scenario_is_on_one_side_of_the_split_whatever_else_is_in_the_snapshot(tmp_path):
    pairs = [a_pair(pair_id=f"p{i}", scenario_id=f"sc{i % 50}") for i in range(1, 200)]
    manifest = write(tmp_path / "snapshot", some_tables() | {"pairs": pairs})

    sides: dict[str, set[str]] = {}
    for row in read_snapshot(tmp_path / "snapshot").rows("pairs"):
        sides.setdefault(row.scenario_id, set()).add(row.split)

    assert all(side == {split_of(scenario)} for scenario, side in sides.items())
    assert sum(len(manifest.splits[split]) for split in ("train", "validation", "test")) == 50


def test_splits_are_about_eighty_ten_ten():
    splits = [split_of(f"scenario-{i}") for i in range(10_000)]

    shares = {split: splits.count(split) / 10_000 for split in ("train", "validation", "test")}
    assert shares == pytest.approx({"train": 0.8, "validation": 0.1, "test": 0.1}, abs=0.01)


def test_a_changed_byte_is_found(tmp_path):
    write(tmp_path / "snapshot")
    path = tmp_path / "snapshot" / "scores.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    with pytest.raises(SnapshotError, match=r"'scores.parquet' has the hash"):
        read_snapshot(tmp_path / "snapshot")


def test_changed_rows_with_matching_hashes_are_found_by_the_id(tmp_path):
    write(tmp_path / "snapshot")
    path = tmp_path / "snapshot" / "pairs.parquet"
    table = pq.read_table(path)
    column = table.schema.get_field_index("system_a")
    pq.write_table(table.set_column(column, table.schema.field(column), [["forged"]]), path)
    manifest_path = tmp_path / "snapshot" / "manifest.json"
    manifest = json.loads(manifest_path.read_text())
    manifest["files"]["pairs.parquet"] = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size,
    }  # fmt: skip
    manifest_path.write_text(json.dumps(manifest))

    with pytest.raises(SnapshotError, match=f"not {GOLDEN_ID}"):
        read_snapshot(tmp_path / "snapshot")


def test_a_missing_file_and_a_foreign_file_are_found(tmp_path):
    write(tmp_path / "snapshot")
    (tmp_path / "snapshot" / "extra.txt").write_text("x")
    with pytest.raises(SnapshotError, match=r"'extra.txt', which the snapshot does not list"):
        read_snapshot(tmp_path / "snapshot")

    (tmp_path / "snapshot" / "extra.txt").rename(tmp_path / "extra.txt")
    (tmp_path / "snapshot" / "audio" / f"{HASH_A}.flac").unlink()
    with pytest.raises(SnapshotError, match=f"'audio/{HASH_A}.flac' is missing"):
        read_snapshot(tmp_path / "snapshot")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "audio/../../x", "a\\b", ""])
def test_a_manifest_that_lists_a_file_outside_is_refused(tmp_path, name):
    write(tmp_path / "snapshot")
    path = tmp_path / "snapshot" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = {"sha256": "0" * 64, "bytes": 1}
    path.write_text(json.dumps(manifest))

    with pytest.raises(SnapshotError, match="leads out of the folder"):
        read_snapshot(tmp_path / "snapshot")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "earshot-snapshot", "format_version": 2}', "{" * 9999])
def test_a_manifest_of_another_kind_is_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)

    with pytest.raises(SnapshotError):
        read_snapshot(tmp_path)


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(SnapshotError, match=r"no readable manifest.json"):
        read_snapshot(tmp_path)


def test_a_snapshot_without_judgments_is_a_snapshot(tmp_path):
    empty = {name: [] for name in some_tables()}

    write(tmp_path / "snapshot", empty, audio={})

    assert read_snapshot(tmp_path / "snapshot").table("aggregates").num_rows == 0


def test_comparing_two_snapshots_names_what_was_added_removed_and_changed(tmp_path):
    later = some_tables()
    later["judgments"] = [a_judgment(quality="fail"), a_judgment(judgment_id="j3", rater="r-3")]
    later["scores"] = [row for row in later["scores"] if row.judgment_id == "j1"]
    write(tmp_path / "earlier")
    write(tmp_path / "later", later)

    found = diff_snapshots(read_snapshot(tmp_path / "earlier"), read_snapshot(tmp_path / "later"))

    assert found["judgments"].added == (("j3",),)
    assert found["judgments"].removed == (("j2",),)
    assert found["judgments"].changed == (("j1",),)
    assert found["scores"].removed == (("j2", "overall"), ("j2", "prosody"))
    assert found["pairs"] == type(found["pairs"])((), (), ())


def test_the_card_tells_licence_filter_and_what_was_left_out(tmp_path):
    write(tmp_path / "snapshot", card=CardFacts(licence="CC BY 4.0", agreement="alpha 0.41", limits="One language."))

    card = (tmp_path / "snapshot" / "README.md").read_text()

    for words in ("CC BY 4.0", "alpha 0.41", "One language.", "Left out: quality_fail: 3", '"study": "s1"', GOLDEN_ID):
        assert words in card


def test_a_pseudonym_is_stable_in_its_family_and_unlike_in_another():
    one, other = b"1" * 16, b"2" * 16

    assert pseudonym(one, "7") == pseudonym(one, "7")
    assert len({pseudonym(one, "7"), pseudonym(one, "8"), pseudonym(other, "7")}) == 3
    with pytest.raises(ValueError, match="has 3 bytes"):
        pseudonym(b"abc", "7")


def test_a_row_has_one_json_whether_it_is_known_to_be_canonical_or_not():
    tables = to_tables(some_tables())

    rows = [row for name, table in tables.items() for row in hashed_rows(name, table)]

    assert [row_json(row) for row in rows] == [canonical_json(row) for row in rows]
