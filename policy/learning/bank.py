"""The practice bank: short dialogues, spoken once without emotion, which the embedded policy learns to say feelingly.

The folder bank/ holds bank.json (who says what, when), one Opus file per text and f0.npz (its F0 track); the same for
openers, the short sentences by which a user tells how they feel, one file per voice. The texts' own words fit several
emotions, so what a policy learns is how to say them. See docs/recordings.md for how they were made.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from earshot.acoustics.vocoder import FRAME_SECONDS, PAUSE_BELOW_PEAK_DB

BANK = Path(__file__).parent / "bank"
FORMAT, OPENERS_FORMAT, VERSION = "earshot-practice-bank", "earshot-practice-openers", 1
RATE = 16_000  # Hz
PARTS = ("train", "held_out")
FRAME_SAMPLES = round(RATE * FRAME_SECONDS)  # every phrase begins and ends on a frame of its F0 track

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Recording:
    """The sound of one text from its first phrase to its last: decoded when it is first asked for, and then kept."""

    path: Path
    f0_path: Path

    @cached_property
    def samples(self) -> npt.NDArray[np.float32]:
        """(N,) mono at RATE, full scale 1.0. Raises ValueError if the file is missing or has another rate."""
        if not self.path.exists():
            raise ValueError(f"The bank has no {self.path.name}; check out {self.path.parent} again.")
        samples, rate = soundfile.read(self.path, dtype="float32")
        if rate != RATE or samples.ndim != 1:
            raise ValueError(f"{self.path.name} has {rate} Hz, shape {samples.shape}; store it mono at {RATE} Hz.")
        return np.asarray(samples, dtype=np.float32)

    @cached_property
    def f0(self) -> FloatArray:
        """(T,) Hz per frame of FRAME_SECONDS over the whole file, 0 where unvoiced."""
        with np.load(self.f0_path) as tracks:
            if self.path.stem not in tracks.files:
                raise ValueError(f"{self.f0_path.name} has no track {self.path.stem!r}; check out the bank again.")
            return np.asarray(tracks[self.path.stem], dtype=np.float64)


@dataclass(frozen=True)
class Phrase:
    """What is said in one breath: a whole user turn, or one of an assistant turn's two halves."""

    text: str
    n_syllables: int
    voice: str
    start: float  # seconds in the recording, a whole number of frames
    end: float
    recording: Recording = field(repr=False, compare=False)

    @property
    def seconds(self) -> float:
        """Its length, with 30 ms of silence at either end."""
        return self.n_frames * FRAME_SECONDS

    @property
    def n_frames(self) -> int:
        """F0 frames from its beginning up to its end, without the frame at its end."""
        return round(self.end / FRAME_SECONDS) - round(self.start / FRAME_SECONDS)

    @property
    def samples(self) -> FloatArray:
        """(N,) mono at RATE, full scale 1.0; a copy. Raises ValueError if the file is missing or has another rate."""
        first = round(self.start / FRAME_SECONDS) * FRAME_SAMPLES
        return self.recording.samples[first : first + self.n_frames * FRAME_SAMPLES].astype(np.float64)

    @property
    def f0(self) -> FloatArray:
        """(T,) Hz per frame of FRAME_SECONDS, 0 where unvoiced; T = n_frames + 1, as vocoder.analyse asks. A copy."""
        first = round(self.start / FRAME_SECONDS)
        return self.recording.f0[first : first + self.n_frames + 1].copy()


@dataclass(frozen=True)
class Exchange:
    """The user says one sentence, the assistant answers in two phrases."""

    user: Phrase
    assistant: tuple[Phrase, Phrase]


@dataclass(frozen=True)
class Text:
    """One written dialogue and its recordings."""

    text_id: str
    part: str  # train or held_out; the two share no sentence
    topic: str
    user_voice: str
    assistant_voice: str
    exchanges: tuple[Exchange, ...]

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """All of them in the order they are said: user, assistant, assistant, user, …"""
        return tuple(phrase for exchange in self.exchanges for phrase in (exchange.user, *exchange.assistant))


@dataclass(frozen=True)
class Bank:
    """All texts, and what is typical of each voice: the zero that prosody codes are relative to."""

    folder: Path
    all_texts: tuple[Text, ...] = field(repr=False)
    openers: Mapping[tuple[str, str], tuple[Phrase, ...]] = field(default_factory=dict, repr=False)  # voice, emotion

    def opener(self, voice: str, emotion: str, index: int) -> Phrase:
        """A sentence that tells an emotion, said by a user's voice. Raises ValueError if there is none."""
        found = self.openers.get((voice, emotion), ())
        if not 0 <= index < len(found):
            raise ValueError(
                f"{voice!r} has {len(found)} openers of {emotion!r} in the bank, but number {index} was asked for; "
                "ask a user's voice for a number from 0."
            )
        return found[index]

    def texts(self, part: str | None = None) -> tuple[Text, ...]:
        """The texts of one part, or all. Raises ValueError for a part that does not exist."""
        if part not in (None, *PARTS):
            raise ValueError(f"The bank has no part {part!r}; ask for one of {', '.join(PARTS)}, or None for all.")
        return tuple(text for text in self.all_texts if part in (None, text.part))

    def text(self, text_id: str) -> Text:
        """One text. Raises ValueError if there is none of this id."""
        for text in self.all_texts:
            if text.text_id == text_id:
                return text
        raise ValueError(f"The bank has no text {text_id!r}; take an id from bank.json, such as {self._some_id!r}.")

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """All that was recorded: those of the texts, then the openers."""
        openers = (opener for found in self.openers.values() for opener in found)
        return (*(phrase for text in self.all_texts for phrase in text.phrases), *openers)

    @property
    def voices(self) -> tuple[str, ...]:
        """Every voice, by name."""
        return tuple(sorted(self._phrases_by_voice))

    def mean_log_f0(self, voice: str) -> float:
        """Mean of ln(F0 in Hz) over the voiced frames of all phrases of this voice."""
        tracks = np.concatenate([phrase.f0 for phrase in self._phrases_of(voice)])
        return float(np.log(tracks[tracks > 0]).mean())

    def mean_rate(self, voice: str) -> float:
        """Syllables per second of all phrases of this voice, pauses inside them and 30 ms at their ends included."""
        phrases = self._phrases_of(voice)
        return sum(phrase.n_syllables for phrase in phrases) / sum(phrase.seconds for phrase in phrases)

    def mean_level_db(self, voice: str) -> float:
        """Active speech level of this voice over all its phrases, in dBFS (RMS; a full-scale sine has −3)."""
        powers = np.concatenate([active_frame_powers(phrase.samples) for phrase in self._phrases_of(voice)])
        return float(10 * np.log10(powers.mean()))

    @cached_property
    def content_hash(self) -> str:
        """SHA-256, in hex, over the name, length and bytes of the indexes, F0 tracks and sounds."""
        digest = hashlib.sha256()
        sounds = {path for phrase in self.phrases for path in (phrase.recording.path, phrase.recording.f0_path)}
        indexes = {self.folder / "bank.json"} | ({self.folder / "openers.json"} if self.openers else set())
        for path in sorted(sounds | indexes):
            content = path.read_bytes()
            digest.update(f"{path.name} {len(content)}\n".encode())
            digest.update(content)
        return digest.hexdigest()

    @property
    def _some_id(self) -> str:
        return self.all_texts[0].text_id

    @cached_property
    def _phrases_by_voice(self) -> dict[str, list[Phrase]]:
        phrases: dict[str, list[Phrase]] = {}
        for phrase in (phrase for text in self.all_texts for phrase in text.phrases):
            phrases.setdefault(phrase.voice, []).append(phrase)
        return phrases

    def _phrases_of(self, voice: str) -> list[Phrase]:
        if voice not in self._phrases_by_voice:
            raise ValueError(f"The bank has no voice {voice!r}; take one of {', '.join(self.voices)}.")
        return self._phrases_by_voice[voice]


def active_frame_powers(samples: FloatArray) -> FloatArray:
    """Mean squares of the 10-ms frames that hold speech: those within PAUSE_BELOW_PEAK_DB of the loud ones, (≤ T,)."""
    length = RATE // 100
    n_frames = len(samples) // length
    powers = np.square(samples[: n_frames * length]).reshape(n_frames, length).mean(axis=1)  # (T,)
    threshold = np.percentile(powers, 95) * 10 ** (-PAUSE_BELOW_PEAK_DB / 10)
    return np.asarray(powers[powers >= threshold], dtype=np.float64)


def load_bank(folder: Path = BANK) -> Bank:
    """Read bank.json and, if there is one, openers.json; sound and F0 tracks are read when they are asked for.

    Raises:
        ValueError: if the folder holds no bank, or one of another format.
    """
    if not (folder / "bank.json").exists():
        raise ValueError(f"{folder} holds no bank.json; give the folder of a practice bank, such as {BANK}.")
    texts = _index(folder / "bank.json", FORMAT)["texts"]
    has_openers = (folder / "openers.json").exists()
    voices = _index(folder / "openers.json", OPENERS_FORMAT)["voices"] if has_openers else []
    return Bank(folder, tuple(_text(text, folder) for text in texts), _openers(voices, folder))


def _index(path: Path, wanted: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if (fields.get("format"), fields.get("version")) != (wanted, VERSION):
        found = f"{fields.get('format')!r}, version {fields.get('version')!r}"
        raise ValueError(f"{path} is {found}, but this code reads {wanted!r}, version {VERSION}; update one of them.")
    return fields


def _openers(voices: Iterable[Mapping[str, Any]], folder: Path) -> dict[tuple[str, str], tuple[Phrase, ...]]:
    openers: dict[tuple[str, str], tuple[Phrase, ...]] = {}
    for fields in voices:
        recording = Recording(folder / fields["file"], folder / "openers-f0.npz")
        for said in fields["phrases"]:
            key = (fields["voice"], said["emotion"])
            phrase = Phrase(said["text"], said["n_syllables"], key[0], said["start"], said["end"], recording)
            openers[key] = (*openers.get(key, ()), phrase)
    return openers


def _text(fields: Mapping[str, Any], folder: Path) -> Text:
    recording = Recording(folder / fields["file"], folder / "f0.npz")
    voices = {"user": fields["user_voice"], "assistant": fields["assistant_voice"]}
    phrases = [
        Phrase(phrase["text"], phrase["n_syllables"], voices[phrase["role"]], phrase["start"], phrase["end"], recording)
        for phrase in fields["phrases"]
    ]
    exchanges = zip(phrases[0::3], phrases[1::3], phrases[2::3], strict=True)
    return Text(
        text_id=fields["id"],
        part=fields["part"],
        topic=fields["topic"],
        user_voice=voices["user"],
        assistant_voice=voices["assistant"],
        exchanges=tuple(Exchange(user, (first, second)) for user, first, second in exchanges),
    )
