"""How much faster are the metrics than what the field uses, on the same arrays, in the same run?

    python bench/scoring.py

Bootstrap: the seconds of an interval with 1,000 draws of clips, all at once, and of a loop that calls scikit-learn
on each draw's clips (timed on LOOPS draws and multiplied up). Matching: notes as mir_eval.transcription matches
them. Frames: F1 as sed_eval counts it. Medians of ROUNDS rounds; peaks are of Python's own memory.
"""

import statistics
import time
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import mir_eval
import numpy as np
import sklearn.metrics
from results import record

from earmark.scoring import activity, matching, tagging
from earmark.scoring.intervals import draw_weights

ROUNDS = 3
DRAWS = 1000
LOOPS = 3

Rows = list[dict[str, object]]


def measured(work: Callable[[], Any]) -> tuple[float, int, Any]:
    """Median seconds, peak bytes and the result."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return statistics.median(seconds), peak, result


def row(
    what: str, peer: str, ours: Callable[[], Any], theirs: Callable[[], Any], times: float = 1
) -> dict[str, object]:
    """One line of the table; `times` multiplies the peer's seconds up. Both results must agree."""
    fast, fast_peak, value = measured(ours)
    slow, slow_peak, expected = measured(theirs)
    difference = float(np.max(np.abs(np.asarray(value)[: np.size(expected)] - expected)))
    assert difference < 1e-6, (what, difference)
    return {
        "what": what,
        "peer": peer,
        "earmark": f"{fast:.3g} s",
        "peer takes": f"{slow * times:.3g} s",
        "faster": f"{slow * times / fast:.0f}x",
        "memory": f"{fast_peak / 2**20:.0f} MiB against {slow_peak / 2**20:.0f} MiB",
        "largest difference": f"{difference:.0e}",
    }


def tagged(n_clips: int, n_tags: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    names = [str(number) for number in range(n_tags)]
    targets = rng.random((n_clips, n_tags)) < 0.05
    scores = (rng.normal(size=targets.shape) + targets).astype(np.float32)
    return [tagging.score_clip(*pair, names) for pair in zip(targets, scores, strict=True)]


def draws_by_loop(
    clips: list[dict[str, Any]], weights: np.ndarray, score: Callable[..., float]
) -> np.ndarray:
    """What a loop over draws does: repeat each draw's clips and ask scikit-learn."""
    target, scores = (np.stack([clip[name] for clip in clips]) for name in ("target", "prediction"))
    drawn = [np.repeat(np.arange(len(clips)), weights[:, draw].astype(int)) for draw in range(LOOPS)]
    return np.array([score(target[which], scores[which]) for which in drawn])


def bootstraps() -> Rows:
    clips = tagged(10_000, 80)
    weights = draw_weights([str(number) for number in range(len(clips))], draws=DRAWS)
    names = [str(number) for number in range(80)]
    up = DRAWS / LOOPS

    def against(what: str, ours: Callable[[], Any], score: Callable[..., float]) -> dict[str, object]:
        peer = "a loop over draws with scikit-learn"
        return row(f"{what}, 10,000 clips x 80", peer, ours, lambda: draws_by_loop(clips, weights, score), up)

    return [
        against(
            "mAP",
            lambda: tagging.mean_average_precision(clips, weights),
            lambda target, score: sklearn.metrics.average_precision_score(target, score, average="macro"),
        ),
        against(
            "mAP, ROC-AUC, lwlrap, MAP@3, AP of each tag together, against ROC-AUC alone",
            lambda: tagging.summarise(clips, names, weights)["roc_auc"],
            lambda target, score: sklearn.metrics.roc_auc_score(target, score, average="macro"),
        ),
        against(
            "lwlrap",
            lambda: tagging.lwlrap(clips, weights),
            lambda target, score: sklearn.metrics.label_ranking_average_precision_score(
                target, score, sample_weight=target.sum(axis=1)
            ),
        ),
        macro_f1(up),
    ]


def macro_f1(up: float) -> dict[str, object]:
    rng = np.random.default_rng(1)
    names = [str(number) for number in range(20)]
    clips = []
    for _ in range(1000):
        target = rng.random((100, 20)) < 0.2
        clips.append(activity.score_clip(target, 0.6 * rng.random(target.shape) + 0.4 * target, names))
    weights = draw_weights([str(number) for number in range(len(clips))], draws=DRAWS)

    def loop() -> np.ndarray:
        def score(which: np.ndarray) -> float:
            target = np.concatenate([clips[at]["target"] for at in which])
            active = np.concatenate([clips[at]["prediction"] for at in which]) >= activity.THRESHOLD
            return sklearn.metrics.f1_score(target, active, average="macro", zero_division=0)

        drawn = [np.repeat(np.arange(len(clips)), weights[:, draw].astype(int)) for draw in range(LOOPS)]
        return np.array([score(which) for which in drawn])

    peer = "a loop over draws with scikit-learn"
    return row(
        "macro-F1, 1,000 clips of 100 frames x 20", peer, lambda: activity.macro_f1(clips, weights), loop, up
    )


def matchings() -> Rows:
    rows = []
    for n in (240, 2400, 7200):
        rng = np.random.default_rng(n)
        true = np.column_stack([np.sort(rng.uniform(0, n / 12, n)), rng.integers(48, 84, n)]).astype(float)
        found = true + np.column_stack([rng.normal(0, 0.03, n), rng.random(n) < 0.1])
        spans = [
            np.column_stack([notes[:, 0], notes[:, 0] + 0.2]) - min(0, found[:, 0].min())
            for notes in (true, found)
        ]
        hertz = [440 * 2 ** ((notes[:, 1] - 69) / 12) for notes in (true, found)]

        def peer(spans: Any = spans, hertz: Any = hertz) -> float:
            return float(
                mir_eval.transcription.precision_recall_f1_overlap(
                    spans[0], hertz[0], spans[1], hertz[1], offset_ratio=None
                )[2]
            )

        def ours(true: Any = true, found: Any = found) -> float:
            return matching.note_f1(true, found)

        rows.append(row(f"F1 of {n} notes", "mir_eval.transcription", lambda: [ours()], lambda: [peer()]))
    return rows


def frames() -> Rows:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports what setuptools is about to drop
            import sed_eval  # noqa: PLC0415 - an optional peer
            from dcase_util.containers import MetaDataContainer  # noqa: PLC0415
    except ImportError:
        print("sed_eval is not installed: left out")
        return []
    rng = np.random.default_rng(2)
    names = [str(number) for number in range(10)]
    target = np.repeat(rng.random((60, 10)) < 0.3, 10, axis=0)
    active = np.repeat(rng.random((60, 10)) < 0.3, 10, axis=0)

    def events(which: np.ndarray) -> Any:
        found = []
        for column, name in zip(which.T, names, strict=True):
            edges = np.flatnonzero(np.diff(np.r_[False, column, False]))
            for start, stop in zip(edges[::2], edges[1::2], strict=True):
                times = {"onset": (start + 0.1) / 10, "offset": (stop - 0.1) / 10}
                found.append({"file": "a", "event_label": name, **times})
        return MetaDataContainer(found)

    true, answered = events(target), events(active)

    def peer() -> float:
        metrics = sed_eval.sound_event.SegmentBasedMetrics(event_label_list=names, time_resolution=0.1)
        metrics.evaluate(true, answered, evaluated_length_seconds=len(target) / 10)
        return float(metrics.results_overall_metrics()["f_measure"]["f_measure"])

    def ours() -> float:
        clip = activity.score_clip(target, active.astype(np.float32), names)
        return float(activity.micro_f1([clip], np.ones((1, 1)))[0])

    return [row("micro-F1, 60 s x 10 classes", "sed_eval", lambda: [ours()], lambda: [peer()])]


def main() -> None:
    remark = f"Medians of {ROUNDS}; a loop's time is that of {LOOPS} draws times {DRAWS}/{LOOPS}."
    record("Metrics and intervals", [*bootstraps(), *matchings(), *frames()], remark)


if __name__ == "__main__":
    main()
