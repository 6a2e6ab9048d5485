"""What two hand-ins have in common, and from where on a person should look: docs/copies.md tells why from there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from earmark.copies import answers, code, texts, weights
from earmark.copies.aligned import look_again
from earmark.copies.weights import Found, Model
from earmark.homework.answered import Answered
from earmark.homework.sources import Left, Work

Kind = Literal["code", "weights", "mistakes", "answers", "report"]

ALIKE = 0.9
"""Above chance, or above what most of the class or a baseline have: from here on a layer counts as found."""
MANY = 0.75
"""Of the class: what so many have alike is not two students' own."""
TELLING = 0.95
"""The cosine that most of a class may have in common, by one seed or pretrained model, for more to be told."""
FEWEST_OTHERS = 4
"""Of the class, below which nobody knows what most have."""
FEWEST_SHARING = 4
"""Reports that must say the same before it is the assignment's."""
FLAT = 4096
"""Numbers in a tensor of one axis, from which on it may be a layer that was stored flat."""
PROBABILITY = 0.01
"""Of so many equal mistakes, corrected for the number of pairs."""
THRESHOLDS: Mapping[Kind, float] = {
    "code": 0.4,  # the share of the shorter one's tokens
    "weights": 0.1,  # the share of numbers in layers that were found
    "mistakes": 0.5,  # beyond what was expected, of all that could be
    "answers": 0.75,  # the correlation of what is left beside the class
    "report": 0.2,  # the share of the shorter one's shingles
}


@dataclass(frozen=True)
class LayerRow:
    """A layer of one, and how much of it was found in the other."""

    name: str
    numbers: int
    cosine: float
    usual: float
    """By chance, in most of the class or in a baseline."""
    alike: bool
    same: str
    """The other's layer that holds the same numbers; empty for none."""


@dataclass(frozen=True)
class Evidence:
    """How alike two are in one way; what fits its kind of the rest is filled."""

    kind: Kind
    strength: float
    """0 to 1, by the measure of THRESHOLDS."""
    said: str
    lines: tuple[Sequence[code.Line], Sequence[code.Line]] = ((), ())
    layers: Sequence[LayerRow] = ()
    whose: str = ""
    """The layers are."""
    passages: Sequence[tuple[str, str]] = ()

    @property
    def look(self) -> bool:
        return self.strength >= THRESHOLDS[self.kind]


Alike = tuple[tuple[int, int], Evidence]
"""The places of two works, and how they are alike."""


def pairs(works: Sequence[Work]) -> Iterator[tuple[int, int]]:
    """Two teams of this year, or one and someone else's; never two of other years or baselines."""
    for i, j in combinations(range(len(works)), 2):
        if works[i].source.kind == "team":
            yield i, j


def of_code(works: Sequence[Work], left: list[Left]) -> Iterator[Alike]:
    """Baselines, from which students may start, are nobody's own."""
    given = frozenset[int]().union(*(code.grams(w.code) for w in works if w.source.kind == "baseline"))
    prints = [
        code.fingerprints(work.code, given) if work.source.kind != "baseline" and work.code else None
        for work in works
    ]
    for work, each in zip(works, prints, strict=True):
        if work.source.kind == "baseline" or (each is not None and each.own >= code.LEAST):
            continue
        own = "there is hardly any beside that of baselines and starter code" if each else "there is none"
        left.append((work.source.name, "code", own))
    for i, j in pairs(works):
        a, b = prints[i], prints[j]
        if a is None or b is None or (share := code.likeness(a, b)) is None:
            continue
        look = share >= THRESHOLDS["code"]
        lines = code.matching_lines(a, b) if look else ((), ())
        yield (i, j), Evidence("code", share, f"{share:.0%} of the shorter one's tokens", lines=lines)


def of_weights(works: Sequence[Work], left: list[Left]) -> Iterator[Alike]:
    """Each layer against what most of the class have of it, and against the baselines, whose weights are public."""
    models = [weights.read_model(work.tensors) for work in works]
    for work, model in zip(works, models, strict=True):
        if not model.layers and work.source.kind == "team":
            left.append((work.source.name, "weights", "no tensor with two axes was read"))
        if work.source.kind != "baseline":
            left += [
                (work.source.name, name, "it has one axis alone") for name in weights.flat(work.tensors, FLAT)
            ]
    found = {}
    for i, j in pairs(works):
        found[i, j] = weights.look_for(models[i], models[j])
        if works[j].source.kind == "team":
            found[j, i] = weights.look_for(models[j], models[i])
    for i, j in pairs(works):
        public = works[j].source.kind == "baseline"
        ways = [(i, j), (j, i)] if (j, i) in found else [(i, j)]
        floors = {way: usual(works, found, way[0], public=public) for way in ways}
        again = {way: _again(models, way, found[way], floors[way]) for way in ways}
        if not all(whole for _, whole in again.values()):
            names = " and ".join(works[place].source.name for place in (i, j))
            left.append((names, "some orders of units", "too many of their layers have one shape"))
        each = [_rows(models, way, again[way][0], floors[way]) for way in ways]
        if any(each):
            share, best, whose = max(
                (
                    (_share(rows), rows, works[way[0]].source.name)
                    for rows, way in zip(each, ways, strict=True)
                ),
                key=lambda found: found[0],
            )
            alike = [row for row in best if row.alike]
            said = f"{len(alike)} of {len(best)} layers, {share:.0%} of their numbers"
            yield (i, j), Evidence("weights", share, said, layers=best, whose=whose)


def usual(
    works: Sequence[Work], found: Mapping[tuple[int, int], Mapping[int, Found]], i: int, *, public: bool
) -> dict[int, float]:
    """For each layer of a team the cosine that most of the class reach, and the baselines, unless `public`."""
    reached: dict[int, list[float]] = {}
    floors: dict[int, float] = {}
    for (a, b), layers in found.items():
        for number, each in layers.items() if a == i else ():
            if works[b].source.kind == "team":
                reached.setdefault(number, []).append(each.cosine)
            elif works[b].source.kind == "baseline" and not public:
                floors[number] = max(floors.get(number, 0.0), each.cosine)
    for number, cosines in reached.items():
        if len(cosines) >= FEWEST_OTHERS:
            most = float(np.quantile(cosines, MANY, method="lower"))
            floors[number] = max(floors.get(number, 0.0), most)
    return floors


def _again(
    models: Sequence[Model], way: tuple[int, int], found: Mapping[int, Found], floors: Mapping[int, float]
) -> tuple[Mapping[int, Found], bool]:
    """As aligned.look_again, where a layer was found."""
    if any(each.above(floors.get(number, 0.0)) >= ALIKE for number, each in found.items()):
        return look_again(models[way[0]], models[way[1]], found)
    return found, True


def _rows(
    models: Sequence[Model], way: tuple[int, int], layers: Mapping[int, Found], floors: Mapping[int, float]
) -> list[LayerRow]:
    a, b = (models[place] for place in way)
    same = dict(weights.same_numbers(a, b))
    rows = []
    for number, each in sorted(layers.items()):
        floor = floors.get(number, 0.0)
        layer = a.layers[number]
        alike = floor <= TELLING and each.above(floor) >= ALIKE
        name = same.get(layer.name, "")
        rows.append(
            LayerRow(layer.name, layer.values.size, each.cosine, max(each.chance, floor), alike, name)
        )
    return rows


def _share(rows: Sequence[LayerRow]) -> float:
    return sum(row.numbers for row in rows if row.alike) / max(1, sum(row.numbers for row in rows))


def of_answers(places: Sequence[int], said: Answered) -> Iterator[Alike]:
    """Of runs on one split; `places` are those of their works."""
    if said.labels is not None:
        found = answers.agreements(said.labels, said.target)
        corrected = answers.holm([each.p for each in found.values()])
        for ((i, j), each), p in zip(found.items(), corrected, strict=True):
            strength = max(0.0, each.excess) if p < PROBABILITY else 0.0
            words = (
                f"{each.same} of {each.wrong} clips that both got wrong have the same wrong answer; "
                f"{each.expected:.1f} were expected (p = {p:.2g})"
            )
            yield (places[i], places[j]), Evidence("mistakes", strength, words)
    correlations = answers.residual_correlations(said.numbers)
    for i, j in combinations(range(len(places)), 2):
        if np.isfinite(correlations[i, j]):
            strength = max(0.0, float(correlations[i, j]))
            words = f"a correlation of {correlations[i, j]:.2f} beside what the class answers"
            yield (places[i], places[j]), Evidence("answers", strength, words)


def of_reports(works: Sequence[Work], left: list[Left]) -> Iterator[Alike]:
    """Words that more than a quarter of the class have are the assignment's, if that is no small group."""
    read = [texts.read(work.report) for work in works]
    ours = [
        text for text, work in zip(read, works, strict=True) if work.source.kind == "team" and work.report
    ]
    given = texts.common(ours, max(FEWEST_SHARING - 1, len(ours) // 4))
    read = [texts.read(work.report, given) for work in works]
    for text, work in zip(read, works, strict=True):
        if work.report and len(text.own) < texts.LEAST:
            left.append((work.source.name, "report", "too few words of its own, or none that can be read"))
    for i, j in pairs(works):
        if (shares := texts.likeness(read[i], read[j])) is None:
            continue
        passages = texts.passages(read[i], read[j]) if shares[0] >= THRESHOLDS["report"] else ()
        words = f"{shares[0]:.0%} of the shorter one's passages, {shares[1]:.0%} of both"
        yield (i, j), Evidence("report", shares[0], words, passages=passages)
