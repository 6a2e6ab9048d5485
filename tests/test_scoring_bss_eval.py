"""BSSEval version 4, against museval."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.signal
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.scoring import bss_eval as module
from earmark.scoring import correlations
from earmark.scoring.correlations import Track
from earmark.scoring.projection import projection_filters
from earmark.scoring.separation import bss_eval

FRAME = 4000
TOLERANCE_DB = 1e-3

pytestmark = pytest.mark.system("ffmpeg")  # importing museval needs it


def on_grid(x):
    return np.rint(np.clip(x, -1, 1) * 32767) / 32768


def song(rng, n_stems=3, n_samples=15000, n_channels=2):
    """Coloured noise in stems, and estimates that leak, filter and add noise, both on the 16-bit grid."""
    noise = rng.normal(size=(n_stems, n_samples, n_channels))
    references = on_grid(0.05 * scipy.signal.lfilter([1], [1, -0.9], noise, axis=1))
    filtered = scipy.signal.lfilter([0.8, 0.3, -0.1], [1], references, axis=1)
    leaked = 0.2 * references[np.arange(n_stems) - 1][:, :, ::-1]
    return references, on_grid(filtered + leaked + 0.005 * rng.normal(size=noise.shape))


def by_museval(references, estimates, filters, window=FRAME, hop=FRAME):
    import museval

    return museval.metrics.bss_eval(references, estimates, window=window, hop=hop, filters_len=filters)[:4]


def assert_agree(mine, expected):
    for ours, museval in zip(mine, expected, strict=True):
        assert ours.shape == museval.shape
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(museval))
        np.testing.assert_allclose(ours, museval, rtol=0, atol=TOLERANCE_DB)


def compare(references, estimates, filters=64, window=1.0, hop=1.0):
    mine = bss_eval(references, estimates, sample_rate=FRAME, window=window, hop=hop, filters=filters)
    assert_agree(mine, by_museval(references, estimates, filters, window * FRAME, hop * FRAME))
    return mine


@pytest.fixture
def rng():
    return np.random.default_rng(2)


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_random_stems(rng, n_channels):
    sdr = compare(*song(rng, n_channels=n_channels)).sdr
    assert sdr.shape == (3, 3)
    assert np.isfinite(sdr).all()


@pytest.mark.parametrize(("window", "hop"), [(1.0, 0.5), (0.25, 0.3), (10.0, 1.0), (np.inf, np.inf)])
def test_overlapping_short_and_endless_frames(rng, window, hop):
    compare(*song(rng), window=window, hop=hop)


def test_mono_as_stereo(rng):
    references, estimates = song(rng, n_channels=1)
    compare(references.repeat(2, axis=2), np.concatenate([estimates, 0.5 * estimates], axis=2))


def test_a_channel_that_is_another_turned_down_and_one_that_is_silent(rng):
    references, estimates = song(rng)
    references[0, :, 1] = on_grid(references[0, :, 0]) / 2
    references[1, :, 1] = 0
    references = on_grid(references)
    references[0, :, 0] = 2 * references[0, :, 1]
    compare(references, estimates)


def test_channels_that_span_nothing_new_are_left_out_of_the_filters(rng):
    references, estimates = song(rng)
    references[0, :, 1] = -2 * references[0, :, 0]
    references[1, :, 0] = 0
    statistics = Track(references, estimates, 64).statistics((0, references.shape[1]))
    with ThreadPoolExecutor() as pool:
        own, every = projection_filters(statistics.products, len(references), pool)
    left_out = [False, True, True, False, False, False]
    for filters in (own, every):
        np.testing.assert_array_equal(~filters.any(axis=(0, 2)), left_out)


def test_frames_where_a_stem_or_an_estimate_is_silent_are_nan_for_all(rng):
    references, estimates = song(rng, n_samples=5 * FRAME + 100)
    references[0, FRAME : 2 * FRAME] = 0
    estimates[2, 3 * FRAME : 4 * FRAME] = 0
    references[1, 4 * FRAME : 5 * FRAME, 1] = -references[1, 4 * FRAME : 5 * FRAME, 0]
    ratios = compare(references, estimates)
    for ratio in ratios:
        np.testing.assert_array_equal(np.isnan(ratio), np.tile([False, True, False, True, True], (3, 1)))


def test_a_nearly_silent_stem(rng):
    references, estimates = song(rng)
    references[0] = rng.integers(-1, 2, references[0].shape) / 32768
    compare(references, estimates)


def test_an_exact_estimate_is_infinitely_good(rng):
    references, estimates = song(rng)
    estimates[1] = references[1]
    mine = bss_eval(references, estimates, sample_rate=FRAME, filters=64)
    expected = by_museval(references, estimates, 64)
    assert np.isposinf(mine.sdr[1]).all()
    assert np.isposinf(expected[0][1]).all()
    for ours, museval in zip(mine[1:], expected[1:], strict=True):
        np.testing.assert_allclose(ours[[0, 2]], museval[[0, 2]], atol=TOLERANCE_DB)
        assert (ours[1] > 150).all()  # there both print rounding errors
        assert (museval[1] > 150).all()


@pytest.mark.parametrize("which", ["references", "estimates"])
def test_a_stem_that_is_silent_throughout_is_nan_and_not_an_error(rng, which):
    references, estimates = song(rng)
    (references if which == "references" else estimates)[0] = 0
    with pytest.raises(ValueError, match="non-silent"):
        by_museval(references, estimates, 64)
    assert all(np.isnan(r).all() for r in bss_eval(references, estimates, sample_rate=FRAME, filters=64))


@pytest.mark.parametrize("window", [1.0, 0.01])
def test_frames_that_are_not_kept_are_correlated_again(rng, monkeypatch, window):
    stems = song(rng)
    kept = bss_eval(*stems, sample_rate=FRAME, window=window, hop=window, filters=64)
    monkeypatch.setattr(module, "KEPT_BYTES", 0)
    assert_agree(bss_eval(*stems, sample_rate=FRAME, window=window, hop=window, filters=64), kept)


def test_a_long_frame_is_read_piece_by_piece(rng, monkeypatch):
    monkeypatch.setattr(correlations, "BLOCKS_AT_ONCE", 2)
    compare(*song(rng), window=3.0)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_torch_gives_what_numpy_gives(rng, device):
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("There is no GPU that torch can use.")
    stems = song(rng, n_samples=5 * FRAME)
    stems[1][0, FRAME : 2 * FRAME] = 0
    ours = bss_eval(*stems, sample_rate=FRAME, device=device)
    for by_torch, by_numpy in zip(ours, bss_eval(*stems, sample_rate=FRAME), strict=True):
        np.testing.assert_allclose(by_torch, by_numpy, rtol=0, atol=1e-6)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_stems=st.integers(1, 4),
    n_channels=st.integers(1, 2),
    n_samples=st.integers(2000, 12000),
    levels=st.lists(st.sampled_from([1.0, 0.1, 0.003]), min_size=4, max_size=4),
    window=st.sampled_from([0.25, 0.3, 1.0]),
    hop=st.sampled_from([0.25, 0.5, 1.0]),
    filters=st.sampled_from([1, 2, 31, 64, 100]),
)
def test_museval_agrees_whatever_the_track(
    seed, n_stems, n_channels, n_samples, levels, window, hop, filters
):
    references, estimates = song(np.random.default_rng(seed), n_stems, n_samples, n_channels)
    loudness = np.array(levels)[:n_stems, None, None]
    compare(on_grid(loudness * references), loudness[::-1] * estimates, filters, window, hop)


def test_museval_agrees_with_itself_only_on_the_16_bit_grid(rng):
    """Band-limited stems and the same scaled by 0.7: as ratios, nothing should change."""
    noise = rng.normal(size=(3, 15000, 2))
    low = scipy.signal.sosfilt(scipy.signal.butter(12, 0.3, output="sos"), 0.1 * noise, axis=1)
    estimates = low + 0.2 * low[[1, 2, 0]] + 0.001 * rng.normal(size=noise.shape)

    def self_noise(references):
        plain, scaled = (by_museval(scale * references, scale * estimates, 128) for scale in (1.0, 0.7))
        return max(np.abs(a - b).max() for a, b in zip(plain, scaled, strict=True))

    assert self_noise(on_grid(low)) < TOLERANCE_DB
    assert self_noise(low) > 100 * self_noise(on_grid(low))


def test_float32_gives_what_float64_gives(rng):
    references, estimates = song(rng)
    single = bss_eval(references.astype(np.float32), estimates.astype(np.float32), sample_rate=FRAME)
    assert_agree(single, bss_eval(references, estimates, sample_rate=FRAME))


def test_references_off_the_grid_are_rounded_to_it_with_a_warning(rng):
    references, estimates = song(rng)
    estimates[0] = references[0]
    off_grid = references + rng.uniform(-0.4, 0.4, references.shape) / 32768
    with pytest.warns(UserWarning, match="16-bit grid"):
        rounded = bss_eval(off_grid, estimates, sample_rate=FRAME, filters=64)
    np.testing.assert_array_equal(rounded, bss_eval(references, estimates, sample_rate=FRAME, filters=64))
    assert np.isposinf(rounded.sdr[0]).all()


@pytest.mark.parametrize("cut", [np.s_[:, :-1], np.s_[:2], np.s_[:, :, :1], np.s_[0], np.s_[:, :0]])
def test_other_shapes_are_refused(rng, cut):
    references, estimates = song(rng)
    with pytest.raises(ValueError, match="shape"):
        bss_eval(references, estimates[cut])
    if estimates[cut].ndim != 3 or not estimates[cut].size:
        with pytest.raises(ValueError, match="shape"):
            bss_eval(references[cut], estimates[cut])


@pytest.mark.real
def test_a_real_song(real):
    folder = real / "source_separation" / "mdb" / "MusicDelta_Reggae"
    names = ("vocals", "drums", "bass", "other")
    stems = [soundfile.read(folder / f"{name}.flac", always_2d=True)[0][: 6 * 44100] for name in names]
    references = np.stack(stems)
    estimates = on_grid(0.8 * references + 0.15 * references.sum(axis=0))
    expected = by_museval(references, estimates, 512, 44100, 44100)
    assert np.isfinite(expected[0]).any()
    assert_agree(bss_eval(references, estimates), expected)
