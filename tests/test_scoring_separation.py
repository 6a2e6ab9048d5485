"""The headline and the other metrics of separation, against museval, plain loops and what they are for."""

import json

import measured
import numpy as np
import pytest

from earmark.scoring import separation
from earmark.scoring.intervals import draw_weights

RATE = 1000
NAMES = ("bass", "drums")


def song(rng, seconds=5, noise=0.3, n_channels=1):
    references = np.rint(rng.normal(size=(2, seconds * RATE, n_channels)) * 3000) / 32768
    return references, references + noise * 0.1 * rng.normal(size=references.shape)


def score(references, estimates):
    return separation.score_clip(references, estimates, NAMES, RATE)


def value(*songs):
    return separation.median_sdr(songs, np.ones((len(songs), 1)))[0]


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def test_sdr_is_that_of_version_4_where_museval_has_one(rng):
    references, estimates = song(rng, n_channels=2)
    references[0, 1000:2000] = 0
    estimates[1, 3000:4000] = 0
    scores = score(references, estimates)
    defined = ~np.isnan(scores["museval_sdr"])
    assert defined.any(axis=1).all()
    assert not defined.all()
    np.testing.assert_allclose(scores["sdr"][defined], scores["museval_sdr"][defined], atol=1e-9)


def test_a_frame_is_dropped_only_for_the_stem_whose_reference_is_silent(rng):
    references, estimates = song(rng)
    references[0, 1000:2000] = 0
    expected = np.zeros((2, 5), bool)
    expected[0, 1] = True
    np.testing.assert_array_equal(np.isnan(separation.frame_sdr(references, estimates, RATE)), expected)


def test_a_silent_estimate_has_exactly_0_db(rng):
    references, estimates = song(rng)
    estimates[0, 2000:3000] = 0
    assert separation.frame_sdr(references, estimates, RATE)[0, 2] == 0
    assert score(references, np.zeros_like(references))["score"] == 0


def test_silencing_hard_seconds_raises_musevals_median_and_not_ours_above_0(rng):
    """Six hard seconds of ten: museval drops the silenced ones and prints the SDR of the easy four."""
    references, _ = song(rng, seconds=10)
    estimates = references + 0.01 * rng.normal(size=references.shape)
    estimates[0, :6000] = 2.5 * np.roll(references[0, :6000], 7, axis=0)
    silenced = estimates.copy()
    silenced[0, :6000] = 0
    before, after = score(references, estimates), score(references, silenced)
    museval = [separation.frame_medians([s], "museval_sdr", np.ones((1, 1)))[0, 0] for s in (before, after)]
    ours = [np.median(s["sdr"][0]) for s in (before, after)]
    assert museval[0] < -5
    assert museval[1] > 15
    assert ours == pytest.approx([museval[0], 0.0])


def test_silencing_an_estimate_removes_no_frame_from_isr_sir_and_sar(rng):
    references, estimates = song(rng)
    silenced = estimates.copy()
    silenced[0, 2000:3000] = 0
    before, after = score(references, estimates), score(references, silenced)
    for metric in ("isr", "sir", "sar"):
        assert np.isfinite(after[metric]).all()
        assert after[metric][0, 2] == separation.SILENT_DB
        assert np.isnan(after[f"museval_{metric}"][:, 2]).all()
        others = np.arange(5) != 2
        np.testing.assert_allclose(after[metric][:, others], after[f"museval_{metric}"][:, others])
        np.testing.assert_allclose(after[metric][1], before[metric][1])  # the other stem keeps what it has


def test_exact_and_hopeless_frames_are_bounded(rng):
    references, _ = song(rng)
    assert (separation.frame_sdr(references, references, RATE) == 100).all()
    assert (separation.frame_sdr(references, references + 1e9, RATE) == -100).all()


def test_median_over_drawn_songs_then_mean_over_stems(rng):
    """Against numpy's median of the songs repeated; the first stem sounds in three songs only."""
    pairs = [song(rng, noise=noise) for noise in (0.1, 0.2, 0.4, 0.8, 1.6)]
    songs = [{"sdr": separation.frame_sdr(*pair, RATE)} for pair in pairs]
    for silent in songs[3:]:
        silent["sdr"][0] = np.nan
    weights = draw_weights([str(i) for i in range(5)], draws=60)
    naive = []
    for draw in weights.T:
        drawn = [songs[i] for i in np.repeat(np.arange(5), draw.astype(int))]
        stems = [[np.median(s["sdr"][k]) for s in drawn if not np.isnan(s["sdr"][k, 0])] for k in (0, 1)]
        naive.append(np.mean([np.median(stem) for stem in stems if stem]))
    np.testing.assert_allclose(separation.median_sdr(songs, weights), naive)
    assert value(*songs) == naive[0]


def test_a_split_in_which_nothing_sounds_is_nan_and_its_summary_none(rng):
    nothing = score(np.zeros((2, 3 * RATE, 1)), song(rng, 3)[1])
    assert np.isnan(value(nothing))
    assert nothing["score"] == 0
    summary = measured.summary(separation, [nothing], NAMES)
    assert summary["si_sdr"] is summary["isr"] is summary["sdr_by_stem"]["bass"] is None
    json.dumps(summary, allow_nan=False)


def test_si_sdr_forgives_scale_and_nothing_else(rng):
    references, estimates = song(rng)
    plain = separation.si_sdr(references, estimates)
    np.testing.assert_allclose(separation.si_sdr(references, 3 * estimates), plain)
    np.testing.assert_allclose(separation.si_sdr(references, -references), 100)
    np.testing.assert_allclose(separation.si_sdr(references, np.zeros_like(references)), -100)
    assert np.isnan(separation.si_sdr(np.zeros_like(references), estimates)).all()
    angle = [
        (r.ravel() @ e.ravel()) / np.linalg.norm(r) / np.linalg.norm(e)
        for r, e in zip(references, estimates, strict=True)
    ]
    np.testing.assert_allclose(plain, 20 * np.log10(1 / np.tan(np.arccos(angle))))


@pytest.mark.parametrize("gain", [1e-5, 0.3, 1, 1000])
@pytest.mark.parametrize("noise", [1e-4, 1e-2, 1, 100])
def test_si_sdr_by_sums_is_that_by_the_error_itself(rng, gain, noise):
    references = rng.normal(size=(2, 3 * RATE + 7, 2))
    estimates = gain * (references + noise * rng.normal(size=references.shape))
    scale = np.sum(references * estimates, (1, 2)) / np.sum(references**2, (1, 2))
    error = scale[:, None, None] * references - estimates
    expected = 10 * np.log10(np.sum((references**2).T * scale**2, (0, 1)) / np.sum(error**2, (1, 2)))
    np.testing.assert_allclose(separation.si_sdr(references, estimates), expected, rtol=0, atol=1e-9)


def test_predicted_energy_at_silence(rng):
    """WASPAA 2019: 10 log10(energy + 1e-12) of a frame; here 1000 values of 0.1 and a frame of zeros."""
    references, _ = song(rng, seconds=3)
    references[0, :2000] = 0
    estimates = references.copy()
    estimates[0, :1000, 0] = 0.1
    expected = (10 * np.log10(1000 * 0.01) + 10 * np.log10(1e-12)) / 2
    result = separation.pes(references, estimates, RATE)
    assert result[0] == pytest.approx(expected)
    assert np.isnan(result[1])


@pytest.mark.system("ffmpeg")
def test_musevals_numbers_are_as_museval_prints_them(rng):
    """One stem is silent for a second, one estimate exact for another: for museval some 300 dB."""
    import museval

    store = museval.EvalStore(frames_agg="median", tracks_agg="median")
    songs = []
    for number in range(4):
        references, estimates = song(rng, noise=0.1 + number)
        references[0, 1000:2000] = 0
        estimates[1, 2000:3000] = references[1, 2000:3000]
        songs.append(score(references, estimates))
        ratios = dict(
            zip(
                ("SDR", "ISR", "SIR", "SAR"), museval.evaluate(references, estimates, RATE, RATE), strict=True
            )
        )
        track = museval.TrackStore(str(number))
        for k, name in enumerate(NAMES):
            track.add_target(name, {metric: ratio[k].tolist() for metric, ratio in ratios.items()})
        store.add_track(track)
    printed = store.agg_frames_tracks_scores()
    summary = measured.summary(separation, songs, NAMES)
    for name in NAMES:
        assert summary["museval_sdr_by_stem"][name] == pytest.approx(printed[name]["SDR"], abs=1e-3)
        for metric in ("isr", "sir", "sar"):
            mine = summary[f"museval_{metric}_by_stem"][name]
            assert mine == pytest.approx(printed[name][metric.upper()], abs=1e-3)


def test_a_summary_is_plain_json_with_means_over_stems(rng):
    songs = [score(*song(rng)) for _ in range(3)]
    summary = measured.summary(separation, songs, NAMES)
    json.dumps(summary, allow_nan=False)
    assert summary["sdr_by_stem"].keys() == set(NAMES)
    assert np.mean(list(summary["sdr_by_stem"].values())) == pytest.approx(value(*songs))
    assert summary["sir"] == pytest.approx(np.mean(list(summary["sir_by_stem"].values())))
    assert summary["pes"] is None


def test_targets_off_the_16_bit_grid_are_scored_without_a_warning(rng):
    references, estimates = song(rng)
    score(references + 0.3 / 32768, estimates)


@pytest.mark.parametrize("change", [lambda e: e[:, :-1], lambda e: e[:1], lambda e: e * np.nan])
def test_nan_and_other_shapes_are_refused(rng, change):
    references, estimates = song(rng)
    with pytest.raises(ValueError, match=r"shape|finite"):
        score(references, change(estimates))


def test_another_number_of_names_is_refused(rng):
    with pytest.raises(ValueError, match="2 stems and 3 names"):
        separation.score_clip(*song(rng), (*NAMES, "piano"), RATE)


@pytest.mark.real
def test_a_real_song_whose_vocals_are_silent(real):
    import soundfile

    folder = real / "source_separation" / "mdb" / "MusicDelta_Zeppelin"
    names = ("vocals", "drums", "bass", "other")
    stems = [soundfile.read(folder / f"{name}.flac", dtype="float32", always_2d=True)[0] for name in names]
    references = np.stack(stems)
    mixture = np.broadcast_to(references.sum(axis=0) / 4, references.shape)
    scores = separation.score_clip(references, mixture, names)
    assert np.isnan(scores["sdr"][0]).all()
    assert np.isfinite(np.median(scores["sdr"][1:], axis=1)).all()
    assert np.isnan(scores["museval_sdr"]).all()
    assert scores["pes"][0] > -20
    summary = measured.summary(separation, [scores], names)
    assert summary["sdr_by_stem"]["vocals"] is None
    json.dumps(summary, allow_nan=False)
