"""Frame-wise F1 is sed_eval's segment-based F1 where a segment is a frame."""

import warnings
from itertools import pairwise

import measured
import numpy as np
import pytest

from earmark.scoring import activity

NAMES = ("bass", "drums", "piano", "voice")


def events(active, name_of_file):
    """Runs of active frames as sed_eval's events, in seconds; a little short, since it rounds outwards."""
    found = []
    for column, label in zip(active.T, NAMES, strict=True):
        edges = np.flatnonzero(np.diff(np.r_[False, column, False]))
        found += [
            {
                "file": name_of_file,
                "event_label": label,
                "onset": (start + 0.1) / 10,
                "offset": (stop - 0.1) / 10,
            }
            for start, stop in list(pairwise(edges))[::2]
        ]
    return found


@pytest.fixture
def sed_eval():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports what setuptools is about to drop
        import sed_eval

        yield sed_eval


@pytest.mark.parametrize("seed", range(3))
def test_counts_and_ratios_are_sed_evals(sed_eval, seed):
    from dcase_util.containers import MetaDataContainer

    rng = np.random.default_rng(seed)
    metrics = sed_eval.sound_event.SegmentBasedMetrics(event_label_list=list(NAMES), time_resolution=0.1)
    clips = []
    for number in range(6):
        frames = int(rng.integers(20, 60))
        target, score = rng.random((frames, 4)) < 0.4, rng.random((frames, 4))
        clips.append(activity.score_clip(target, score, NAMES))
        active = clips[-1]["prediction"] >= activity.THRESHOLD
        metrics.evaluate(
            reference_event_list=MetaDataContainer(events(target, str(number))),
            estimated_event_list=MetaDataContainer(events(active, str(number))),
            evaluated_length_seconds=frames / 10,
        )
    ours = measured.summary(activity, clips, NAMES)
    theirs = metrics.results_class_wise_metrics()
    assert ours["f1"] == pytest.approx({name: theirs[name]["f_measure"]["f_measure"] for name in NAMES})
    assert ours["micro_f1"] == pytest.approx(metrics.results_overall_metrics()["f_measure"]["f_measure"])
    macro = metrics.results_class_wise_average_metrics()["f_measure"]["f_measure"]
    assert activity.macro_f1(clips, measured.ones(clips))[0] == pytest.approx(macro)
