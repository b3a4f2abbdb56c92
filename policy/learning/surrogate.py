"""What the reward model would hear, without making a sound: recorded frames, warped as the codes ask.

Pace moves frames in time, energy lifts them, pitch and range change F0. What pitch does to the mel bands is left out:
the bands are wider than the harmonics move. docs/practice-world.md says how near it comes to rendered audio. Train on
it; judge on rendered audio alone.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from earshot.acoustics.vocoder import FRAME_SECONDS, change_f0
from policy.learning.bank import RATE, Bank, Recording
from policy.learning.codes import Codes
from policy.learning.delivery import Planner, SpokenPhrase
from policy.learning.scenarios import Scenario
from rewardmodel.learning.features import (
    FEATURE_VERSION,
    FRAME_RATE,
    HOP,
    N_MELS,
    DialogueFeatures,
    Frames,
    TurnInput,
    frames_of,
    turn_features,
)

SILENCE_DB = -100.0  # what frames_of gives for digital silence


class Surrogate:
    """Features of dialogues of one bank, thirty times faster than rendering and hearing them.

    Args:
        cache_dir: where the recordings' frames are kept under the bank's hash; only in memory if left out.
    """

    def __init__(self, bank: Bank, cache_dir: Path | None = None) -> None:
        self._planner = Planner(bank, cache_dir)
        self._folder = cache_dir and cache_dir / f"frames-{FEATURE_VERSION}-{bank.content_hash[:16]}"
        self._frames: dict[Path, Frames] = {}

    def delivery(self, scenario: Scenario, codes: Codes) -> dict[str, Any]:
        """The realised delivery, exactly as the renderer gives it."""
        return self._planner.plan(scenario, codes).delivery

    def features(self, scenario: Scenario, codes: Codes) -> DialogueFeatures:
        """Nearly what `turn_features` gives for the rendered dialogue.

        Raises:
            ValueError: if the codes do not fit the scenario or lie outside their tables.
        """
        plan = self._planner.plan(scenario, codes)
        n_frames = -(-plan.n_samples // HOP)
        mel = np.full((n_frames, N_MELS), SILENCE_DB, dtype=np.float32)
        f0 = np.zeros(n_frames, dtype=np.float32)
        energy = np.full(n_frames, SILENCE_DB, dtype=np.float32)
        for spoken in plan.phrases:
            # Frames whose centre lies in the phrase: frame i is centred on sample (i + 1/2) · HOP.
            first, last = -(-(spoken.start - HOP // 2) // HOP), -(-(spoken.start + spoken.length - HOP // 2) // HOP)
            mel[first:last], f0[first:last], energy[first:last] = self._warped(spoken, np.arange(first, last))
        return turn_features(Frames(mel, f0, energy), [TurnInput(*turn) for turn in plan.turns])

    def _warped(
        self, spoken: SpokenPhrase, frames: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        phrase, prosody = spoken.phrase, spoken.prosody
        recorded = self._of(phrase.recording)
        seconds = ((frames + 0.5) * HOP - spoken.start) / RATE * prosody.pace_ratio
        places = np.clip((phrase.start + np.minimum(seconds, phrase.seconds)) * FRAME_RATE - 0.5, 0, len(recorded) - 1)
        before = places.astype(np.int64)
        after = np.minimum(before + 1, len(recorded) - 1)
        share = (places - before).astype(np.float32)

        def between(values: npt.NDArray[np.float32], weight: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            level = values[before] + weight * (values[after] - values[before]) + np.float32(prosody.energy_db)
            return np.asarray(np.maximum(level, SILENCE_DB), dtype=np.float32)

        # Voiced where both the reward model's ear and the bank's track say so, at the track's pitch: what the vocoder
        # speaks is the track, and the ear misses its weak ends.
        track = phrase.f0[np.clip(np.round(seconds / FRAME_SECONDS).astype(np.int64), 0, phrase.n_frames)]
        heard = recorded.f0[np.where(share < 0.5, before, after)]
        f0 = change_f0(np.where(heard > 0, track, 0.0), prosody, self._planner.mean_log_f0(phrase))
        return between(recorded.mel, share[:, None]), f0, between(recorded.energy, share)

    def _of(self, recording: Recording) -> Frames:
        if recording.path not in self._frames:
            self._frames[recording.path] = self._from_disk(recording)
        return self._frames[recording.path]

    def _from_disk(self, recording: Recording) -> Frames:
        path = self._folder and self._folder / f"{recording.path.stem}.npz"
        if path and path.exists():
            with np.load(path) as arrays:
                return Frames(arrays["mel"].astype(np.float32), arrays["f0"], arrays["energy"])
        frames = frames_of(recording.samples)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{os.getpid()}.draft")
            with draft.open("wb") as stream:
                np.savez(stream, mel=frames.mel, f0=frames.f0, energy=frames.energy)
            draft.replace(path)
        return frames
