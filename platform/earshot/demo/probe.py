"""Does the vocoder give the good side away? `python -m earshot.demo.probe` (four minutes); see docs/demo-content.md.

Every English assistant turn is rendered twice with equal amounts, once as its emotion wants and once the other way.
From properties that a vocoder spoils (not pitch, pace or level) a logistic regression guesses which is which, in
scenarios that it was not fitted to.
"""

from collections.abc import Iterator

import numpy as np

from earshot.acoustics.vocoder import Analysis, Prosody, analyse, estimate_f0, render
from earshot.demo.arcs import FITTING, PROPERTIES
from earshot.demo.bank import BANK_RATE, FloatArray, Script, load_scripts
from earshot.demo.content import Voices
from earshot.demo.variants import AMOUNTS, plan_dialogue

FEATURES = ("spectral distance to the recording, dB", "aperiodicity", "energy above 6 kHz, dB", "crest factor, dB")
PULL_TO_ZERO = 1.0  # ridge of the regression: there are few turns


def mirrored(prosody: Prosody) -> Prosody:
    """The same amounts the other way."""
    return Prosody(
        level_semitones=-prosody.level_semitones,
        range_ratio=1 / prosody.range_ratio,
        pace_ratio=1 / prosody.pace_ratio,
        energy_db=-prosody.energy_db,
        pause_ratio=1 / prosody.pause_ratio,
    )


def average_spectrum_db(samples: FloatArray) -> FloatArray:
    """Long-term spectrum in 40 bands of equal width up to half the rate, level taken out: (40,) dB."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::256] * np.hanning(1024)  # (T, 1024)
    power = (np.abs(np.fft.rfft(frames)) ** 2).mean(axis=0)[:-1]  # (512,)
    bands = 10 * np.log10(power[:480].reshape(40, 12).mean(axis=1) + 1e-12)
    return np.asarray(bands - bands.mean(), dtype=np.float64)


def artefact_features(rendered: FloatArray, recorded: FloatArray) -> FloatArray:
    spectrum, reference = average_spectrum_db(rendered), average_spectrum_db(recorded)
    again: Analysis = analyse(rendered, BANK_RATE, f0=estimate_f0(rendered, BANK_RATE))
    high = spectrum[20:].mean() - spectrum[:20].mean()
    crest = 20 * np.log10(np.abs(rendered).max() / np.sqrt((rendered**2).mean()))
    distance = np.sqrt(((spectrum - reference) ** 2).mean())
    return np.array([distance, again.aperiodicity[again.f0 > 0].mean(), high, crest])


def feature_pairs(script: Script) -> Iterator[tuple[FloatArray, FloatArray]]:
    """(fitting, unfitting) features of each assistant turn, (4,) each."""
    voices = Voices(script)
    plan = plan_dialogue(script, "expressive")
    for index in script.assistant_turns:
        turn = plan.turns[index]
        assert turn.prosody is not None
        recorded = turn.recording.read()
        analysis = voices.analysis(turn.recording)
        mean = voices.mean_log_f0(turn.recording.voice)
        other = mirrored(turn.prosody)
        good, bad = (render(analysis, prosody, mean_log_f0=mean) for prosody in (turn.prosody, other))
        yield artefact_features(good, recorded), artefact_features(bad, recorded)


def fit_logistic(differences: FloatArray) -> FloatArray:
    """Weights (4,) with which differences good minus bad (N, 4) come out positive; Newton's method, no intercept."""
    weights = np.zeros(differences.shape[1])
    for _ in range(25):
        p = 1 / (1 + np.exp(-differences @ weights))
        gradient = differences.T @ (1 - p) - PULL_TO_ZERO * weights
        curvature = (differences * (p * (1 - p))[:, None]).T @ differences + PULL_TO_ZERO * np.eye(len(weights))
        weights += np.linalg.solve(curvature, gradient)
    return weights


def main() -> None:
    scripts = [script for script in load_scripts() if script.is_rendered]
    by_scenario = [np.array([good - bad for good, bad in feature_pairs(script)]) for script in scripts]
    scale = np.concatenate(by_scenario).std(axis=0)
    by_scenario = [differences / scale for differences in by_scenario]
    right = [
        test @ fit_logistic(np.concatenate([d for j, d in enumerate(by_scenario) if j != i])) > 0
        for i, test in enumerate(by_scenario)
    ]
    hits = np.concatenate(right)
    error = np.sqrt(0.25 / len(hits))
    print(f"{len(hits)} pairs of turns; all features, held-out scenarios: {hits.mean():.3f} ± {1.96 * error:.3f}")
    together = np.concatenate(by_scenario)
    for name, column in zip(FEATURES, together.T, strict=True):
        print(f"{name}: higher on the good side in {(column > 0).mean():.3f}")
    ups = [sum(FITTING[s.turns[i].emotion][p] > 0 for s in scripts for i in s.assistant_turns) for p in PROPERTIES]
    print(dict(zip(AMOUNTS, [round(up / len(hits), 3) for up in ups], strict=True)), "share of turns that go up")


if __name__ == "__main__":
    main()
