"""The embedded scenes: which tags come up, what a clip's properties give away, and that a seed fixes all."""

from itertools import combinations

import numpy as np
import pytest
import soundfile

from earmark import manifest
from earmark.datasets import rendered_scenes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Fewer scenes than a split has, by the same code."""
    folder = tmp_path_factory.mktemp("scenes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(rendered_scenes.SIZES, "valid", 120)
        rendered_scenes.render(folder, "valid", 0)
    return folder


@pytest.fixture(scope="module")
def rows(folder):
    return manifest.read(folder)[0]


def test_there_are_thirty_tags_and_1500_scenes():
    assert len(rendered_scenes.NAMES) == 30
    assert sum(rendered_scenes.SIZES.values()) >= 1500


def test_a_tag_of_several_programs_has_others_in_the_test_split():
    for tag, voice in rendered_scenes.VOICES.items():
        if set(voice.train) | set(voice.test) != set(voice.train) & set(voice.test):
            assert not set(voice.train) & set(voice.test), tag


def test_no_two_splits_share_a_speed():
    for one, other in combinations(rendered_scenes.SPEEDS.values(), 2):
        assert not set(one) & set(other)


def test_all_tags_come_up_about_equally_often_one_to_four_at_a_time(rows):
    tags = [row.tags() for row in rows]
    assert {len(set(some)) for some in tags} == {1, 2, 3, 4}
    names, counts = np.unique(np.concatenate(tags), return_counts=True)
    assert tuple(names) == rendered_scenes.NAMES
    assert counts.max() - counts.min() <= 3


def test_every_clip_is_four_audible_seconds_at_22_khz(rows):
    for row in rows:
        info = soundfile.info(row.path)
        assert (info.frames, info.samplerate, info.channels) == (88200, 22050, 1)
        assert 0.1 < np.abs(row.mono()).max() < 1


def test_neither_order_nor_level_tells_the_tags(rows):
    targets = np.array([np.isin(rendered_scenes.NAMES, row.tags()) for row in rows])
    peaks = np.array([np.abs(row.mono()).max() for row in rows])
    rng = np.random.default_rng(0)
    for metadata in (np.arange(len(rows)), peaks):
        order = np.argsort(metadata)

        def shared(order):
            """Tags that a scene shares with the next one."""
            return (targets[order][1:] & targets[order][:-1]).sum()

        chance = [shared(rng.permutation(len(rows))) for _ in range(200)]
        # Dealing the tags evenly makes neighbours in order share fewer, never more.
        assert shared(order) <= np.max(chance)


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_voice_of_every_tag_sounds_for_longer_than_a_click(split):
    rng = np.random.default_rng(0)
    for tag, voice in rendered_scenes.VOICES.items():
        loudest = rendered_scenes.draw_source(rng, voice, split)
        assert loudest.shape == (88200,), tag
        assert np.abs(loudest).max() == pytest.approx(1), tag
        assert (np.abs(loudest) > 0.02).sum() > 0.02 * rendered_scenes.SR, tag


def test_a_seed_fixes_the_scenes_to_the_bit_and_another_changes_them():
    def scene(seed):
        rng = np.random.default_rng(seed)
        return rendered_scenes.draw_scene(rng, ["flute", "tom", "whistle"], "test")

    assert (scene(1) == scene(1)).all()
    assert not np.allclose(scene(1), scene(2))
