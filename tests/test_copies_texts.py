"""Reports by runs of words."""

import random

import pytest

from earmark.copies import texts

WORDS = [
    f"{a}{b}"
    for a in ("mel", "con", "dis", "re", "spec", "tra")
    for b in ("ton", "form", "duct", "ling", "ive", "ade")
]


def prose(seed, n=300):
    return " ".join(random.Random(seed).choices(WORDS, k=n))


def test_a_copy_in_other_case_width_and_lines():
    text = prose(1)
    copy = text.upper().replace(" ", "\n", 40).translate({ord("A"): "Ａ"})
    assert texts.likeness(texts.read(text), texts.read(copy)) == (1, 1)


def test_half_shared_with_its_passage():
    shared = prose(2, 150)
    a, b = texts.read(f"{prose(3, 150)} {shared}"), texts.read(f"{shared} {prose(4, 450)}")
    contained, alike = texts.likeness(a, b)
    assert contained == pytest.approx(143 / 293, abs=0.01)  # 150 words are 143 shingles
    assert alike < contained
    [(ours, theirs)] = texts.passages(a, b)
    assert ours == theirs == shared


def test_independent_reports():
    assert texts.likeness(texts.read(prose(5)), texts.read(prose(6))) == (0, 0)


def test_what_most_of_the_class_have_is_nobodys():
    template = prose(7, 100)
    reports = [texts.read(f"{template} {prose(seed)}") for seed in range(10, 20)]
    given = texts.common(reports, 2)
    a, b = (texts.read(f"{template} {prose(seed)}", given) for seed in (10, 11))
    assert texts.likeness(*reports[:2])[0] > 0.2
    assert texts.likeness(a, b) == (0, 0)


def test_letters_of_chinese_are_words():
    text = "".join(random.Random(0).choices("樂音聲譜和弦節拍旋律調式", k=120))
    assert texts.likeness(texts.read(text), texts.read(f"前言。{text}")) == (1, pytest.approx(113 / 115))


def test_too_short_is_not_compared():
    assert texts.likeness(texts.read(prose(1, 40)), texts.read(prose(1))) is None
