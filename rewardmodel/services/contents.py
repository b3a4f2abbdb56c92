"""What a training will find in a snapshot, read from its archive before anything is started."""

import zipfile
from dataclasses import dataclass
from functools import lru_cache
from json import loads

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as parquet

from annotation.models import Snapshot
from earshot.jobs import artefacts

# The same rule as in rewardmodel.learning.judgments, which is not imported here: it needs torch.
KINDS = ("regular", "repeat")  # of the pairs that a model learns from
TRAIN = "train"  # the split of the scenarios that it learns from, unless it is measured on another snapshot


@dataclass(frozen=True)
class Contents:
    """Of one snapshot. A scenario is judged if a judgment counts there: compared, not failed, and scored."""

    n_pairs: int
    n_dialogues: int
    audio_hours: float
    dimensions: tuple[str, ...]
    judged: frozenset[str]  # scenarios
    judged_to_train: frozenset[str]  # those of them in the training split

    @property
    def judged_apart(self) -> frozenset[str]:
        return self.judged - self.judged_to_train


def contents_of(snapshot: Snapshot) -> Contents:
    return _read(snapshot.archive_sha256)


@lru_cache(maxsize=64)  # by content, which never changes: a list of earlier trainings costs nothing the second time
def _read(archive_sha256: str) -> Contents:
    with artefacts.open_artefact(archive_sha256) as file, zipfile.ZipFile(file) as packed:
        dimensions = loads(packed.read("manifest.json"))["dimensions"]
        sides = [f"{what}_{side}" for what in ("dialogue", "seconds") for side in "ab"]
        pairs = _table(packed, "pairs", ["pair_id", "scenario_id", "split", *sides])
        judgments = _table(packed, "judgments", ["judgment_id", "pair_id", "pair_kind", "quality"])
        scores = _table(packed, "scores", ["judgment_id", "value"])
    seconds: dict[str, float] = {}
    for side in "ab":
        named = zip(pairs[f"dialogue_{side}"].to_pylist(), pairs[f"seconds_{side}"].to_pylist(), strict=True)
        seconds |= dict(named)
    counting = _pairs_that_count(judgments, scores)
    rows = zip(*(pairs[name].to_pylist() for name in ("pair_id", "scenario_id", "split")), strict=True)
    judged = {(scenario, split) for pair, scenario, split in rows if pair in counting}
    return Contents(
        n_pairs=pairs.num_rows,
        n_dialogues=len(seconds),
        audio_hours=sum(seconds.values()) / 3600,
        dimensions=tuple(dimensions),
        judged=frozenset(scenario for scenario, _ in judged),
        judged_to_train=frozenset(scenario for scenario, split in judged if split == TRAIN),
    )


def _table(packed: zipfile.ZipFile, name: str, columns: list[str]) -> pa.Table:
    return parquet.read_table(pa.BufferReader(packed.read(f"{name}.parquet")), columns=columns)


def _pairs_that_count(judgments: pa.Table, scores: pa.Table) -> set[str]:
    """Those with a judgment that a model can learn from or be measured on."""
    scored = scores.filter(pc.is_valid(scores["value"]))["judgment_id"]
    counts = pc.and_(
        pc.is_in(judgments["pair_kind"], pa.array(KINDS)),
        pc.and_(pc.not_equal(judgments["quality"], "fail"), pc.is_in(judgments["judgment_id"], scored)),
    )
    return set(judgments.filter(counts)["pair_id"].to_pylist())
