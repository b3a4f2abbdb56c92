"""WORLD's analysis of the bank's recordings, made once, coded small and kept on disk.

An hour of raw analyses is 12 GB; coded it is 120 MB. The coding is WORLD's own: 80 mel-cepstral coefficients per frame
(1 dB from the envelope) and one aperiodicity band, which is all there is at 16 kHz.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyworld

from earshot.acoustics import vocoder
from earshot.acoustics.vocoder import FRAME_SECONDS, Analysis, Prosody
from policy.learning.bank import RATE, Bank, Phrase, Recording, load_bank
from policy.learning.dying import die_with_parent

ANALYSIS_VERSION = 1  # raise it whenever the coding changes: what an older one left on disk is not used
ENVELOPE_SIZE = 80
FFT_SIZE = pyworld.get_cheaptrick_fft_size(RATE)

FloatArray = npt.NDArray[np.float64]
Half = npt.NDArray[np.float16]


@dataclass(frozen=True, eq=False)
class CodedRecording:
    """One row per frame of FRAME_SECONDS of a whole recording."""

    envelope: Half  # (T, ENVELOPE_SIZE)
    aperiodicity: Half  # (T, 1)


class Analyses:
    """The coded analyses of a bank's recordings, by need.

    Args:
        cache_dir: where they are kept under the bank's hash, for every process; only in memory if left out.
    """

    def __init__(self, bank: Bank, cache_dir: Path | None = None) -> None:
        self._folder = cache_dir and cache_dir / f"analysis-{ANALYSIS_VERSION}-{bank.content_hash[:16]}"
        self._coded: dict[Path, CodedRecording] = {}

    def prepare(self, recordings: Iterable[Recording]) -> None:
        """Analyse what has not been analysed yet, about 30 times faster than real time on one core."""
        for recording in recordings:
            self._of(recording)

    def say(self, phrase: Phrase, prosody: Prosody, mean_log_f0: float) -> FloatArray:
        """The phrase said with this prosody, its range scaled about `mean_log_f0`: (N,) at RATE, N whole frames."""
        timed = vocoder.stretch(self._coded_analysis(phrase), prosody)
        analysis = Analysis(
            rate=RATE,
            f0=timed.f0,
            envelope=pyworld.decode_spectral_envelope(_doubles(timed.envelope), RATE, FFT_SIZE),
            aperiodicity=pyworld.decode_aperiodicity(_doubles(timed.aperiodicity), RATE, FFT_SIZE),
            is_pause=timed.is_pause,
        )
        at_its_pace = Prosody(prosody.level_semitones, prosody.range_ratio, energy_db=prosody.energy_db)
        return vocoder.render(analysis, at_its_pace, mean_log_f0=mean_log_f0)

    def _coded_analysis(self, phrase: Phrase) -> Analysis:
        # The frames are stretched as they are coded, and decoded afterwards: a seventh of the memory to move.
        coded = self._of(phrase.recording)
        first = round(phrase.start / FRAME_SECONDS)
        rows = slice(first, first + phrase.n_frames + 1)
        is_pause = np.zeros(phrase.n_frames + 1, dtype=np.bool_)  # pauses within a phrase follow its pace
        return Analysis(RATE, phrase.f0, coded.envelope[rows], coded.aperiodicity[rows], is_pause)  # type: ignore[arg-type]

    def _of(self, recording: Recording) -> CodedRecording:
        if recording.path not in self._coded:
            self._coded[recording.path] = self._from_disk(recording)
        return self._coded[recording.path]

    def _from_disk(self, recording: Recording) -> CodedRecording:
        if self._folder is None:
            return code(recording)
        path = self._folder / f"{recording.path.stem}.npz"
        if not path.exists():
            coded = code(recording)
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{os.getpid()}.draft")  # two processes may write the same: the last one stays
            with draft.open("wb") as stream:
                np.savez(stream, envelope=coded.envelope, aperiodicity=coded.aperiodicity)
            draft.replace(path)
            return coded
        with np.load(path) as arrays:
            return CodedRecording(arrays["envelope"], arrays["aperiodicity"])


@contextmanager
def analysing_ahead(bank_folder: Path, cache_dir: Path | None) -> Iterator[None]:
    """While the block lasts another process analyses the bank, so that the first words need not wait for it.

    What it has finished by then is on disk; the rest is done by need, as without it. Nothing where there is no second
    core or no folder to keep analyses in.
    """
    if cache_dir is None or (os.cpu_count() or 1) < 2:
        yield
        return
    process = get_context("spawn").Process(target=_analyse_all, args=(bank_folder, cache_dir), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _analyse_all(bank_folder: Path, cache_dir: Path) -> None:
    die_with_parent()
    bank = load_bank(bank_folder)
    recordings = {phrase.recording.path: phrase.recording for phrase in bank.phrases}
    Analyses(bank, cache_dir).prepare(recordings.values())


def code(recording: Recording) -> CodedRecording:
    """Analyse one recording with the F0 track that the bank has of it."""
    analysis = vocoder.analyse(recording.samples.astype(np.float64), RATE, f0=recording.f0)
    return CodedRecording(
        pyworld.code_spectral_envelope(analysis.envelope, RATE, ENVELOPE_SIZE).astype(np.float16),
        pyworld.code_aperiodicity(analysis.aperiodicity, RATE).astype(np.float16),
    )


def _doubles(coded: npt.NDArray[np.floating]) -> FloatArray:
    return np.ascontiguousarray(coded, dtype=np.float64)
