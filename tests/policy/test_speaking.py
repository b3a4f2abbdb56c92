"""Speaking: rollouts become a manifest that the importer accepts, and a speaking that was cut off goes on."""

import numpy as np
import pytest
import soundfile

from earshot.formats.manifest import read_manifest
from policy.learning import speaking
from policy.learning.bank import RATE
from policy.learning.codes import neutral_codes, random_codes
from policy.learning.renderer import Renderer
from policy.learning.scenarios import scenarios_from_manifest
from policy.learning.speaking import Rollout, write_rollouts
from tests.policy.practice import scenario, small_bank

META = {"seed": 7, "checkpoint": "ab12"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def rollouts(count=2):
    rng = np.random.default_rng(1)
    return [Rollout(scenario("joy"), random_codes(1, rng), ("joy",), sample) for sample in range(count)]


def speak(out, cache, spoken, **options):
    return write_rollouts(out, spoken, bank=small_bank(), system="policy one", meta=META, cache_dir=cache, **options)


def test_rollouts_become_a_valid_manifest(tmp_path, cache):
    spoken = rollouts()

    manifest = read_manifest(speak(tmp_path, cache, spoken))

    assert scenarios_from_manifest(tmp_path, small_bank()) == [spoken[0].scenario]
    assert [one.dialogue_id.rpartition("-")[0] for one in manifest.dialogues] == [
        "practice-lost-keys-j-0-policy-one-7-0",
        "practice-lost-keys-j-0-policy-one-7-1",
    ]
    first = manifest.dialogues[0]
    assert (first.system, first.meta["checkpoint"], first.meta["plan"]) == ("policy one", "ab12", ["joy"])
    assert first.meta["codes"] == spoken[0].codes.tolist()
    assert [(turn.scenario_turn, turn.role, turn.reasoning) for turn in first.turns] == [
        (1, "user", None),
        (1, "assistant", "The user is happy about it."),
    ]


def test_another_reply_has_another_id_and_the_same_reply_the_same(tmp_path, cache):
    def said(name, spoken):
        return [one.dialogue_id for one in read_manifest(speak(tmp_path / name, cache, spoken)).dialogues]

    first, second = rollouts()
    other = Rollout(first.scenario, second.codes, first.plan, first.sample)

    assert said("again", [first]) == said("once", [first])
    assert said("other", [other]) != said("once", [first])


def test_audio_is_the_renderers_at_16_khz_and_the_turns_lie_in_it(tmp_path, cache):
    spoken = rollouts(1)

    dialogue = read_manifest(speak(tmp_path, cache, spoken)).dialogues[0]

    samples, rate = soundfile.read(tmp_path / dialogue.audio)
    rendered = Renderer(small_bank(), cache).render(spoken[0].scenario, spoken[0].codes)
    assert rate == RATE
    assert np.abs(samples - rendered.samples).max() < 1e-4
    assert dialogue.meta["delivery"] == rendered.delivery
    assert [turn.end for turn in dialogue.turns] == [pytest.approx(turn.end, abs=1e-4) for turn in rendered.turns]


def test_what_stands_is_not_spoken_again(tmp_path, cache, monkeypatch):
    speak(tmp_path, cache, rollouts(1))
    said = []
    write = speaking.write_flac
    monkeypatch.setattr(speaking, "write_flac", lambda path, *rest: (said.append(path), write(path, *rest)))
    told = []

    speak(tmp_path, cache, rollouts(2), report=lambda share, message: told.append((share, message)))

    assert len(said) == 1
    assert told == [(1.0, "Spoke 2 of 2 dialogues")]
    assert len(read_manifest(tmp_path).dialogues) == 2


def test_two_processes_write_what_one_writes(tmp_path, cache):
    both = [*rollouts(1), Rollout(scenario("calm"), neutral_codes(1), ("worry",), 0)]

    speak(tmp_path / "one", cache, both)
    speak(tmp_path / "two", cache, both, workers=2)

    one, two = (
        {p.name: p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()} for name in ("one", "two")
    )
    assert one == two
    assert len(one) == 4


def test_two_rollouts_of_one_sample_number_are_refused(tmp_path, cache):
    with pytest.raises(ValueError, match="Two rollouts are sample 0 of 'practice-lost-keys-j-0'"):
        speak(tmp_path, cache, [*rollouts(1), *rollouts(1)])


def test_a_plan_names_one_emotion_per_exchange():
    with pytest.raises(ValueError, match=r"The plan of 'practice-lost-keys-cj-01' is \('calm',\); give each of 2"):
        Rollout(scenario("calm", "joy"), neutral_codes(2), ("calm",), 0)
