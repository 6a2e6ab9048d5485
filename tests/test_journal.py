"""The journal of a run: whatever cuts it short, what was whole comes back, and the rest can be written on."""

import resource
import shutil
from dataclasses import replace

import numpy as np
import pytest

from earmark.errors import OurFault
from earmark.journal import Journal, forget, has_journal
from earmark.predictions import kept_predictions
from earmark.submissions.replies import Reply
from earmark.submissions.spent import Spent

IDS = [f"clip {number}" for number in range(6)]
OF = {"submission": "5ub", "split": "5p1"}
SPENT = Spent(1.5, 2, "crashed", "it ended", "bubblewrap", 1000, None)


def answer(number):
    return {"family": np.arange(number, dtype=np.float32), "pitch": np.float32(number)}


def reply(number):
    if number == 3:
        return Reply(None, "wrong form", "got 1", seconds=0.5)
    return Reply(answer(number), notes=("float64 was rounded",), seconds=0.25)


def begin(path, **options):
    return Journal(path, IDS, options.pop("of", OF), **{"shuffles": False} | options)


def write(journal, turn=0):
    """Two clips a batch, those that are not there yet."""
    left = [number for number in range(6) if IDS[number] not in journal.answered(turn)]
    for pair in (left[:2], left[2:4], left[4:]):
        if pair:
            journal.add(turn, [(IDS[n], reply(n)) for n in pair], replace(SPENT, seconds=float(pair[-1])))


def interrupted(path, **options):
    """A run whose grader was killed after the last batch."""

    def write_and_die():
        with begin(path, **options) as journal:
            write(journal)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_die()


def check(journal, number, turn=0):
    kept, wanted = journal.reply(turn, IDS[number]), reply(number)
    assert replace(kept, prediction=None) == replace(wanted, prediction=None)
    assert (kept.prediction is None) == (wanted.prediction is None)
    if kept.prediction is not None:
        assert kept.prediction.keys() == wanted.prediction.keys()
        for name, array in wanted.prediction.items():
            np.testing.assert_array_equal(kept.prediction[name], array)
            assert kept.prediction[name].dtype == array.dtype


def check_finished(path):
    with kept_predictions(path) as answer_to:
        for number in range(6):
            kept = answer_to(IDS[number])
            assert (kept is None) == (number == 3)
            if kept is not None:
                np.testing.assert_array_equal(kept["family"], answer(number)["family"])


def test_what_was_answered_comes_back(tmp_path):
    path = tmp_path / "run.npz"
    interrupted(path)
    assert has_journal(path)
    assert not path.exists()
    with begin(path) as journal:
        assert journal.answered(0) == IDS
        assert journal.spent(0) == replace(SPENT, seconds=5.0)
        for number in range(6):
            check(journal, number)
    check_finished(path)
    forget(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".journal", ".partial"])
def test_a_file_cut_at_any_byte_costs_the_batches_behind_it_alone(tmp_path, suffix):
    whole = tmp_path / "whole"
    interrupted(whole / "run.npz")
    length = (whole / "run").with_suffix(suffix).stat().st_size
    found = []
    for size in (*range(0, length, 7), length):
        shutil.copytree(whole, tmp_path / str(size))
        path = tmp_path / str(size) / "run.npz"
        with path.with_suffix(suffix).open("r+b") as file:
            file.truncate(size)
        with begin(path) as journal:
            answered = journal.answered(0)
            assert answered == IDS[: len(answered)]
            for number in range(len(answered)):
                check(journal, number)
            write(journal)
        check_finished(path)
        found.append(len(answered))
    assert found == sorted(found)
    assert set(found) == {0, 2, 4, 6}


def test_a_flipped_byte_of_a_prediction_costs_its_batch_and_those_behind(tmp_path):
    path = tmp_path / "run.npz"
    interrupted(path)
    partial = path.with_suffix(".partial")
    damaged = bytearray(partial.read_bytes())
    place = damaged.index(np.arange(4, dtype=np.float32).tobytes(), damaged.index(b"4.family.npy"))
    damaged[place + 4] ^= 1
    partial.write_bytes(damaged)
    with begin(path) as journal:
        assert journal.answered(0) == IDS[:4]
        write(journal)
    check_finished(path)


def test_predictions_that_have_their_name_already_are_taken_up_too(tmp_path):
    path = tmp_path / "run.npz"
    with begin(path) as journal:
        write(journal)
    with begin(path) as journal:
        assert journal.answered(0) == IDS
    check_finished(path)


@pytest.mark.parametrize("other", [{"submission": "other"}, {"split": "other"}])
def test_what_was_journalled_of_another_run_is_not_taken_up(tmp_path, other):
    path = tmp_path / "run.npz"
    interrupted(path)
    with begin(path, of=OF | other) as journal:
        assert journal.answered(0) == []
        write(journal)
    check_finished(path)


def test_the_coin_falls_once(tmp_path):
    path = tmp_path / "run.npz"
    with begin(path, shuffles=True) as journal:
        coin = journal.shuffled
    assert [len(coin), coin[0] | coin[1], coin[0] & coin[1]] == [2, set(IDS), set()]
    for _ in range(5):  # another toss is the same one time in 64
        with begin(path, shuffles=True) as journal:
            assert journal.shuffled == coin


def test_each_turn_has_its_own_answers(tmp_path):
    path = tmp_path / "run.npz"
    interrupted(path, shuffles=True)
    with begin(path, shuffles=True) as journal:
        assert (journal.answered(0), journal.answered(1)) == (IDS, [])
        assert journal.spent(1) is None
        journal.add(1, [(IDS[0], Reply(answer(5)))], SPENT)
    with begin(path, shuffles=True) as journal:
        check(journal, 0)
        assert len(journal.reply(1, IDS[0]).prediction["family"]) == 5


def test_a_full_disk_is_our_fault_and_what_was_kept_before_stands(tmp_path):
    path = tmp_path / "run.npz"
    large = Reply(np.zeros(100_000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        with begin(path) as journal:
            journal.add(0, [(IDS[0], reply(0))], SPENT)
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
            journal.add(0, [(IDS[1], large)], SPENT)

    try:
        with pytest.raises(OurFault, match=r"can't be kept in .*File too large"):
            fill()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with begin(path) as journal:
        assert journal.answered(0) == IDS[:1]
        check(journal, 0)
        write(journal)
    check_finished(path)
