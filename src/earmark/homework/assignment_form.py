"""The form of an assignment in course.yaml: what it may say, and what can be wrong in it."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from earmark.errors import nearest, unknown_name
from earmark.homework.course import Anchor, Assignment, LateStep, Noise, ReportRule
from earmark.located import Keys, Misplaced, Part, misplaced
from earmark.quantities import duration, quantity, share
from earmark.rules import Moment, limits_said
from earmark.shelf import baselines, names
from earmark.splits import EMBEDDED
from earmark.submissions.folder import plain

PARTS = "parts"
"""The folder of a course with points that persons gave, a CSV for each assignment."""


def percent(said: Any) -> float:
    """15 or `15 %`, as 15. Raises ValueError for what is neither, or not from 0 to 100."""
    found = quantity(said, {"%": 1}) if isinstance(said, str) else said
    if not isinstance(found, int | float) or isinstance(found, bool) or not 0 <= found <= 100:
        raise Misplaced(((), f"a share of the final grade such as 15 % was expected, got {said!r}"))
    return float(found)


def _late_rule(said: Any) -> Sequence[LateStep]:
    """A table such as {1 day: 20 %, 2 days: 40 %}, as steps by rising time."""
    if not isinstance(said, dict):
        raise Misplaced(((), f"a table such as {{1 day: 20 %, 2 days: 40 %}} was expected, got {said!r}"))
    steps: list[tuple[LateStep, str]] = []
    mistakes: list[tuple[Keys, str]] = []
    for time, minus in said.items():
        try:
            steps.append((LateStep(within=duration(time), minus=share(minus)), str(time)))
        except ValueError as error:
            mistakes.append(((str(time),), str(error)))
    steps.sort(key=lambda step: step[0].within)
    for (earlier, one), (later, other) in pairwise(steps):
        if earlier.within == later.within:
            mistakes.append(((other,), f"{one} and {other} are the same"))
        elif earlier.minus > later.minus:
            mistakes.append(((other,), f"{one} late costs {said[one]}, so {other} can't cost {said[other]}"))
    if mistakes:
        raise Misplaced(*mistakes)
    return tuple(step for step, _ in steps)


def _name(said: Any) -> str:
    """An assignment's name, harmless as that of a file."""
    if isinstance(said, str) and re.fullmatch(r"[^\W_][\w.-]{0,63}", said):
        return said
    hint = "" if isinstance(said, str) else f"; in quotes it is one: '{said}'"
    raise Misplaced(
        ((), f"a name of letters, digits, '.', '-' and '_' was expected, at most 64, got {said!r}{hint}")
    )


def _task(said: str) -> str:
    if said not in names("tasks"):
        raise ValueError(str(unknown_name("task", said, names("tasks"))))
    return said


def _file_name(said: str) -> str:
    """The name of a file in a submission; of alternatives such as `requirements.txt|environment.yml` each."""
    for each in said.split("|"):
        path = PurePosixPath(each)
        if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in each or each != str(path):
            raise ValueError(
                f"a file's name in the submission, such as README.md, was expected, got {each!r}"
            )
    return said


def _anchor(said: Any) -> str | float:
    """What a scale may name: a text, of which the task knows whether there is such a baseline, or a score."""
    if isinstance(said, str):
        return said
    if isinstance(said, int | float) and not isinstance(said, bool) and math.isfinite(said):
        return float(said)
    raise Misplaced(((), f"blank, best, a baseline's name or a score was expected, got {said!r}"))


def _rising(said: dict[str | float, float]) -> dict[str | float, float]:
    """A scale in which a higher score never earns less."""
    if len(said) < 2:
        raise ValueError("two anchors at least were expected, such as {blank: 0, best: 100}")
    scores = sorted((at, points) for at, points in said.items() if isinstance(at, float))
    for (low, some), (high, fewer) in pairwise(scores):
        if fewer < some:
            what = f"a score of {low:g} earns {some:g}, so {high:g} can't earn {fewer:g}"
            raise Misplaced(((f"{high:g}",), what))
    for name, extreme, most in (("best", max(said.values()), "most"), ("blank", min(said.values()), "least")):
        if name in said and said[name] != extreme:
            what = f"{name} must earn the {most} of the scale, which is {extreme:g}, got {said[name]:g}"
            raise Misplaced(((name,), what))
    return said


Text = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(plain)]
Name = Annotated[str, BeforeValidator(_name)]
LateRule = Annotated[Any, BeforeValidator(_late_rule)]
FileName = Annotated[str, AfterValidator(plain), AfterValidator(_file_name)]
Most = Annotated[float, Field(gt=0, le=10_000)]
At = Annotated[str | float, BeforeValidator(_anchor)]
Worth = Annotated[float, Field(ge=0, le=10_000)]


class PointsForm(Part):
    """Points for the headline."""

    scale: Annotated[dict[At, Worth], AfterValidator(_rising)]
    noise: Noise = "ignore"


class ReportForm(Part):
    """What the report must be."""

    file: FileName = "report.pdf"
    pages: Annotated[int, Field(ge=1)] | None = None


class AssignmentForm(Part):
    """One assignment; fields that others are checked against come first."""

    task: Annotated[str, AfterValidator(_task)]
    title: Text = ""
    data: Text | None = None
    split: Text = ""
    due: Moment
    release: Moment | None = None
    late: LateRule = None
    quota: Annotated[int, Field(ge=1)] | None = None
    limits: Any = None
    pretrained: list[Text] = Field(default_factory=list)
    external_data: list[Text] | None = None
    weight: Annotated[float, BeforeValidator(percent)] = 0.0
    points: PointsForm | None = None
    parts: dict[Text, Most] = Field(default_factory=dict)
    parts_file: Text = ""
    report: ReportForm | None = None
    starter: Text | None = None
    requires: list[FileName] = Field(default_factory=list)

    @field_validator("data")
    @classmethod
    def _is_there(cls, said: str, info: ValidationInfo) -> str:
        """The name of a data set, or a folder, from the course folder on."""
        folder: Path = info.context["folder"] if info.context else Path()
        if said in names("datasets") and said != "folder":  # that one reads folders
            return said
        if not (folder / said).is_dir():
            near = nearest(said, [*names("datasets"), *(path.name for path in folder.glob("*/"))])
            hint = f" Did you mean {near!r}?" if near else ""
            raise ValueError(f"There is no data set and no folder {said!r}.{hint}")
        return str((folder / said).absolute())

    @field_validator("split")
    @classmethod
    def _is_a_split(cls, said: str, info: ValidationInfo) -> str:
        """One that the embedded data has; of other data it is asked when it is opened."""
        if info.data.get("data") is None and said and said not in EMBEDDED:
            raise ValueError(str(unknown_name("split", said, EMBEDDED)))
        return said

    @field_validator("starter")
    @classmethod
    def _is_a_folder(cls, said: str, info: ValidationInfo) -> str:
        folder: Path = info.context["folder"] if info.context else Path()
        if not (folder / said).is_dir():
            near = nearest(said, [path.name for path in folder.glob("*/")])
            raise ValueError(f"There is no folder {said!r}.{f' Did you mean {near!r}?' if near else ''}")
        return str((folder / said).absolute())

    @field_validator("release")
    @classmethod
    def _comes_first(cls, said: Moment, info: ValidationInfo) -> Moment:
        due = info.data.get("due")
        if due is not None and said >= due:
            raise ValueError(f"{said} is not before it is due, {due}")
        return said

    @field_validator("limits")
    @classmethod
    def _are_limits(cls, said: Any, info: ValidationInfo) -> Any:
        return limits_said(said, info.data.get("task", "the task"))

    @field_validator("pretrained")
    @classmethod
    def _are_allowed(cls, said: list[str], info: ValidationInfo) -> list[str]:
        if said and (info.data.get("limits") or {}).get("pretrained") is False:
            raise ValueError(
                "limits say `pretrained: false`, so there can be no allowed weights: leave one out"
            )
        return said

    @field_validator("points", mode="wrap")
    @classmethod
    def _anchors_are_known(
        cls, said: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> PointsForm | None:
        """Names that are no baselines of the task, beside all else that may be wrong."""
        scale = said.get("scale") if isinstance(said, dict) else None
        task = info.data.get("task")
        known = ["blank", "best", *baselines(task)] if task else []
        named = [at for at in scale if isinstance(at, str)] if isinstance(scale, dict) and task else []
        mistakes: list[tuple[Keys, str]] = [
            (("scale", at), str(unknown_name(f"baseline of {task}", at, known)))
            for at in named
            if at not in known
        ]
        try:
            found: PointsForm | None = check(said)
        except ValidationError as error:
            mistakes += misplaced(error, PointsForm).mistakes
        if mistakes:
            raise Misplaced(*mistakes)
        return found

    @model_validator(mode="after")
    def _earns_something(self) -> Self:
        if not self.parts and not (self.points and any(self.points.scale.values())):
            raise ValueError("nothing in it earns points: it needs points, parts or both")
        return self

    def as_assignment(self, name: str, late: Sequence[LateStep], folder: Path) -> Assignment:
        """The assignment of this name in a course with this late rule and folder."""
        fields = ("task", "due", "release", "data", "split", "quota", "external_data", "weight", "parts")
        scale = self.points.scale.items() if self.points else ()
        return Assignment(
            name=name,
            title=self.title or name,
            late=late if self.late is None else self.late,
            limits=self.limits or {},
            pretrained=tuple(self.pretrained),
            scale=tuple(Anchor(at=at, points=points) for at, points in scale),
            noise=self.points.noise if self.points else "ignore",
            parts_file=folder / (self.parts_file or f"{PARTS}/{name}.csv") if self.parts else None,
            report=ReportRule(**dict(self.report)) if self.report else None,
            starter=Path(self.starter) if self.starter else None,
            requires=tuple(self.requires),
            **{field: getattr(self, field) for field in fields},
        )
