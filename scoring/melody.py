"""Metrics of melodies that were written for given lyrics, against the human melody of the same lyrics.

Conventions: a melody is float (n_syllables, 3), a row a syllable: MIDI pitch, duration and the rest before it
in quarter notes. Both melodies have as many syllables. Metrics lie in [0, 1], more is better, unless said
otherwise.

Metrics
-------
* Transition overlap, the headline: the mean of
  - interval overlap: of the histograms of melodic intervals (the feature M-1 of jSymbolic: McKay, Cumming,
    Fujinaga, "jSymbolic 2.2", ISMIR 2018), in semitones, wider ones counted as two octaves;
  - note-length transition overlap: of the matrices that count which duration follows which (NLTM of Yang and
    Lerch, "On the evaluation of generative models in music", Neural Computing and Applications 32, 2020).
  Overlap is the area that two histograms of sum 1 share. One song at a time; then the mean over songs.
* PD and DD: overlap of the histograms of pitches and of durations (Sheng et al., "SongMASS", AAAI 2021).
* Conditioning gain: a song's headline less that of the melody which the same model writes when the words of
  the lyrics are shuffled. Near 0: the model does not follow the lyrics. In [-1, 1].
* Melody distance (SongMASS): the cost of dynamic time warping between both contours of pitch in sixteenth
  notes, each less its mean, over the length of the predicted one. In semitones; less is better.
* Scale consistency, repetition and span of the predicted melody (Yu, Srivastava, Canales, "Conditional
  LSTM-GAN for melody generation from lyrics", ACM TOMM 17(1), 2021): the share of notes in the best major
  scale, the share of three-note groups of pitches that came before, and the range in semitones. None is
  better or worse.
* Copied phrases: the share of five-note phrases (intervals and durations) that stand so in a melody of the
  training set, and the same of the human melodies, which share phrases as well. A memoriser shows here.
* Hidden phrases: the share of eight-note phrases that stand so in a human melody of the split. A model that
  knows the hidden songs shows here; honest ones have little but repeated notes.
* Note F1 (mir_eval.transcription, at 120 quarters a minute: onset within 50 ms, the same pitch, offset
  ignored).
* Raw chroma accuracy (mir_eval.melody): the share of syllables of the right pitch, octaves aside.

Differences from the references
-------------------------------
1. Bounds: pitches are rounded and clipped to 0 to 127; durations are clipped to 1/16 to 64 quarters, so that
   one that is not positive counts as the shortest; rests are clipped to 0 to 64. This holds for both
   melodies.
2. Durations are counted in SongMASS's bins of a quarter of a quarter note, up to 33 quarters, the nearest
   bin; NLTM as Yang and Lerch count it has twelve note values instead.
3. SongMASS counts rests in PD and DD as if they were notes of pitch 128; here only what is sung is counted.
4. Melody distance: a contour starts at the first note and ends with the human one's length four times over,
   or after 4096 sixteenths, so that no answer can make the scorer slow. A rest prolongs the note before it, as
   there.
5. Repetition is a share, not Yu's count, which grows with the song.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.scoring import matching
from earmark.scoring.form import require_same_form
from earmark.scoring.metric import Metric
from earmark.scoring.undefined import weighted_mean
from earmark.scoring.warping import warping_cost

WIDEST_INTERVAL = 24
DURATION_BINS = 132
SHORTEST, LONGEST = 1 / 16, 64.0
STEPS_A_QUARTER = 4
LONGEST_CONTOUR = 4096
SECONDS_A_QUARTER = 0.5
PHRASE, LONG_PHRASE = 5, 8
COPIES = 0.5
"""Of the phrases that a human would not share with the training set: more is remarked on."""
MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Songs = Sequence[Mapping[str, NDArray[Any]]]

HEADLINE = Metric("transition_overlap")
METRICS = (
    *map(Metric, ("interval_overlap", "note_length_transition_overlap", "pd", "dd")),
    Metric("melody_distance", highest=np.inf, better="less", unit="semitones"),
    Metric("scale_consistency", better="neither"),
    Metric("repetition", better="neither"),
    Metric("span", highest=127, better="neither", unit="semitones"),
    Metric("note_f1"),
    Metric("raw_chroma_accuracy"),
    Metric("conditioning_gain", lowest=-1),
    Metric("hidden_phrases", better="less"),
    Metric("copied_phrases", better="less"),
    Metric("copied_phrases_by_humans", better="neither"),
)


def bounded(melody: NDArray[Any]) -> Floats:
    """The melody (n_syllables, 3) with whole pitches, and everything within the bounds of difference 1."""
    low, high = (0, SHORTEST, 0), (127, LONGEST, LONGEST)
    columns = np.asarray(melody, dtype=np.float64).copy()
    columns[:, 0] = np.round(columns[:, 0])
    return columns.clip(low, high)


def score_clip(
    target: NDArray[Any],
    prediction: NDArray[Any],
    names: Sequence[str],  # noqa: ARG001 - every task's signature
) -> dict[str, NDArray[Any]]:
    """One song's part: each metric of one song by name, both melodies, and `score`, its transition overlap.

    `target` and `prediction` are (n_syllables, 3). Raises ValueError where their shapes differ or a number
    is not finite.
    """
    require_same_form(target, prediction)
    human, machine = bounded(target), bounded(prediction)
    metrics = {name: np.asarray(measure(human, machine)) for name, measure in OF_ONE_SONG.items()}
    melodies = {"target": human.astype(np.float32), "prediction": machine.astype(np.float32)}
    return metrics | melodies | {"score": np.asarray(transition_overlap(human, machine))}


def mean_score(songs: Songs, weights: Floats) -> Floats:
    """Mean transition overlap for each column of `weights` (n_songs, n_draws): the headline. (n_draws,)."""
    return _mean_of("score", songs, weights)


def summarise(
    songs: Songs,
    names: Sequence[str],  # noqa: ARG001 - every task's signature
    weights: Floats,
) -> dict[str, Any]:
    """Means over songs for each column of `weights`; NaN for the conditioning gain of a single song."""
    means = {name: _mean_of(name, songs, weights) for name in OF_ONE_SONG}
    gain = _mean_of("score", songs, weights) - _mean_of("shuffled_score", songs, weights)
    known = [song["target"] for song in songs]
    hidden = copied_phrases([song["prediction"] for song in songs], known, LONG_PHRASE, weights)
    return means | {"conditioning_gain": gain, "hidden_phrases": hidden}


def against_training(songs: Songs, training: Sequence[NDArray[Any]], weights: Floats) -> dict[str, Any]:
    """Phrases that stand in the melodies of the training set, of the answers and of the human melodies."""
    known = [bounded(melody) for melody in training]
    return {
        f"copied_phrases{suffix}": copied_phrases([song[who] for song in songs], known, PHRASE, weights)
        for who, suffix in (("prediction", ""), ("target", "_by_humans"))
    }


def marks(metrics: Mapping[str, Any], intervals: Mapping[str, Any]) -> list[str]:  # noqa: ARG001 - a task's form
    """`copies` where its phrases stand in the training set more often than those of humans."""
    copied, human = (metrics.get(name) or 0.0 for name in ("copied_phrases", "copied_phrases_by_humans"))
    return ["copies"] if copied - human > COPIES * (1 - human) else []


def remarks(metrics: Mapping[str, Any], intervals: Mapping[str, Any]) -> list[str]:
    """What staff should know: a model that copies the training set, or does not follow the lyrics."""
    said = []
    if marks(metrics, intervals):
        own, human = metrics["copied_phrases"], metrics["copied_phrases_by_humans"]
        of_whom = f"{own:.0%} of its five-note phrases stand in the training set, of the human melodies' {human:.0%}"
        said.append(f"It copies: {of_whom}.")
    low, high = intervals.get("conditioning_gain") or (1.0, 1.0)
    if low <= 0 <= high or high < 0:
        said.append("It does not follow the lyrics: with their words shuffled it scores no worse.")
    return said


def _mean_of(metric: str, songs: Songs, weights: Floats) -> Floats:
    return weighted_mean(np.array([float(song[metric]) for song in songs]), weights)


def overlap(human: Integers, machine: Integers) -> float:
    """The area that two histograms of sum 1 share, of the values (n,) and (m,); 1 if both are empty."""
    if not len(human) or not len(machine):
        return float(len(human) == len(machine))
    values, bins = np.unique(np.concatenate([human, machine]), return_inverse=True)
    shares = [np.bincount(part, minlength=len(values)) / len(part) for part in np.split(bins, [len(human)])]
    return float(np.minimum(*shares).sum())


def pitch_overlap(human: Floats, machine: Floats) -> float:
    """PD of one song."""
    return overlap(_pitches(human), _pitches(machine))


def duration_overlap(human: Floats, machine: Floats) -> float:
    """DD of one song."""
    return overlap(_duration_bins(human), _duration_bins(machine))


def interval_overlap(human: Floats, machine: Floats) -> float:
    """Overlap of the histograms of melodic intervals of one song."""
    return overlap(_intervals(human), _intervals(machine))


def note_length_transition_overlap(human: Floats, machine: Floats) -> float:
    """Overlap of the note-length transition matrices of one song."""
    return overlap(_duration_pairs(human), _duration_pairs(machine))


def transition_overlap(human: Floats, machine: Floats) -> float:
    """The headline of one song."""
    return (interval_overlap(human, machine) + note_length_transition_overlap(human, machine)) / 2


def melody_distance(human: Floats, machine: Floats) -> float:
    """Cost of warping one contour onto the other, less their means, over the machine's length; semitones."""
    longest = min(LONGEST_CONTOUR, 4 * len(contour(human, LONGEST_CONTOUR)))
    one, other = contour(human, LONGEST_CONTOUR), contour(machine, longest)
    return warping_cost(one - one.mean(), other - other.mean()) / len(other)


def contour(melody: Floats, longest: int) -> Floats:
    """The pitch at each sixteenth note from the first note's onset on, at least one and at most `longest`."""
    onset, offset = _times(melody)
    count = int(np.clip(round(STEPS_A_QUARTER * (offset[-1] - onset[0])), 1, longest))
    sounding = np.searchsorted(onset, onset[0] + np.arange(count) / STEPS_A_QUARTER, side="right") - 1
    return np.asarray(melody[sounding, 0])


def scale_consistency(human: Floats, machine: Floats) -> float:  # noqa: ARG001 - only the machine's is described
    """The share of the machine's notes in the major scale that holds most of them."""
    classes = np.bincount(_pitches(machine) % 12, minlength=12)
    in_scale = [classes[(np.array(MAJOR_SCALE) + tonic) % 12].sum() for tonic in range(12)]
    return float(max(in_scale) / classes.sum())


def repetition(human: Floats, machine: Floats) -> float:  # noqa: ARG001 - only the machine's is described
    """The share of the machine's groups of three pitches that came before; 0 for fewer than three notes."""
    pitches = _pitches(machine)
    groups = list(zip(pitches, pitches[1:], pitches[2:], strict=False))
    return 1 - len(set(groups)) / len(groups) if groups else 0.0


def span(human: Floats, machine: Floats) -> float:  # noqa: ARG001 - only the machine's is described
    """The machine's range in semitones."""
    return float(np.ptp(machine[:, 0]))


def note_f1(human: Floats, machine: Floats) -> float:
    """mir_eval's F-measure of notes with the right onset and pitch, at 120 quarters a minute."""
    one, other = (
        np.column_stack([_times(melody)[0] * SECONDS_A_QUARTER, melody[:, 0]]) for melody in (human, machine)
    )
    return matching.note_f1(one, other)


def raw_chroma_accuracy(human: Floats, machine: Floats) -> float:
    """The share of syllables on the right pitch, octaves aside."""
    return float(((_pitches(human) - _pitches(machine)) % 12 == 0).mean())


OF_ONE_SONG: dict[str, Callable[[Floats, Floats], float]] = {
    "interval_overlap": interval_overlap,
    "note_length_transition_overlap": note_length_transition_overlap,
    "pd": pitch_overlap,
    "dd": duration_overlap,
    "melody_distance": melody_distance,
    "scale_consistency": scale_consistency,
    "repetition": repetition,
    "span": span,
    "note_f1": note_f1,
    "raw_chroma_accuracy": raw_chroma_accuracy,
}


def copied_phrases(
    melodies: Sequence[NDArray[Any]], known: Sequence[NDArray[Any]], length: int, weights: Floats
) -> Floats:
    """The share of the melodies' phrases that stand, in whatever key, in a known one, for each column of weights.

    0 where there is no phrase of that length. `weights` is (n_melodies, n_draws).
    """
    there = {phrase for melody in known for phrase in _phrases(melody, length)}
    phrases = [_phrases(melody, length) for melody in melodies]
    copied = np.array([sum(phrase in there for phrase in each) for each in phrases])
    return np.asarray((copied @ weights) / np.maximum(np.array([len(each) for each in phrases]) @ weights, 1))


def _phrases(melody: NDArray[Any], length: int) -> list[tuple[int, ...]]:
    """All runs of `length` notes, each as its durations and the intervals between its notes."""
    intervals, durations = _intervals(melody).tolist(), _duration_bins(melody).tolist()
    starts = range(len(durations) - length + 1)
    return [(*durations[at : at + length], *intervals[at : at + length - 1]) for at in starts]


def _pitches(melody: NDArray[Any]) -> Integers:
    return melody[:, 0].astype(np.int64)


def _intervals(melody: NDArray[Any]) -> Integers:
    return np.diff(_pitches(melody)).clip(-WIDEST_INTERVAL, WIDEST_INTERVAL)


def _duration_bins(melody: NDArray[Any]) -> Integers:
    return np.round(4 * melody[:, 1]).astype(np.int64).clip(1, DURATION_BINS)


def _duration_pairs(melody: NDArray[Any]) -> Integers:
    """Each duration together with the next one as one number, (n_syllables - 1,)."""
    bins = _duration_bins(melody)
    return bins[:-1] * (DURATION_BINS + 1) + bins[1:]


def _times(melody: Floats) -> tuple[Floats, Floats]:
    """Onsets and offsets in quarter notes."""
    offset = np.cumsum(melody[:, 1] + melody[:, 2])
    return offset - melody[:, 1], offset
