"""Thirty invented students in fifteen teams, and what each team hands in, when, for three assignments."""

from dataclasses import dataclass, field
from typing import Any, Literal

Program = Literal[
    "bands", "own_bands", "borrowed_bands", "frames", "crashes", "wrong_form", "looks_around", "forges"
]

TEAMS: dict[str, tuple[str, ...]] = {
    "Bandpass": ("Amara Okafor", "Jonas Lindqvist", "陳怡君"),
    "Counterpoint": ("Beatriz Nogueira", "Tomáš Dvořák"),
    "Downbeat": ("Chloé Martin", "Ravi Subramanian", "Aoife O’Neill"),
    "Étude": ("Dmitri Volkov", "Hana Suzuki"),
    "Fermata": ("Elif Yılmaz", "Samuel Mensah"),
    "Glissando": ("Farah Haddad", "Lars Berg", "Ngozi Eze"),
    "Hemiola": ("Giulia Ricci", "Piotr Żak"),
    "Intervallic": ("Håkon Dahl", "Mei Tanaka", 'Robert "Bob" Marsh'),
    "Jitter": ("Ines Castro", "Kofi Boateng"),
    "Klangfarbe": ("Jana Novák", "Omar Farouk"),
    "Legato": ("Kavya Rao", "Smith, Ada"),
    "": ("Leila Amiri", "Marek Wójcik", "Nguyễn Thị Hoa", "Oskar Falk"),
}
"""Team -> members; those without a team are one each."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Something that a team hands in."""

    team: str
    """Or the name of someone alone."""
    received: str
    """By the clock of the course."""
    program: Program
    knows: int | None = None
    """How many of the classes its model learns; None for all."""
    effort: float = 1.0
    """The share of the training data that its model learns from."""
    weights_of: str = ""
    """The team whose weights it has, changed as `disguise` says."""
    disguise: Literal["", "permuted", "fine-tuned"] = ""
    declares: dict[str, Any] = field(default_factory=dict)
    """In its submission.yaml."""
    leaves_out: tuple[str, ...] = ()
    damaged: bool = False
    """The archive was cut off on its way."""
    chosen: bool = False
    report: str = ""
    """The team whose report it has, with another name on it."""


HW1 = (
    Turn(team="Bandpass", received="2026-03-04 17:20", program="bands"),
    Turn(team="Counterpoint", received="2026-03-05 11:02", program="own_bands", knows=7),
    Turn(team="Downbeat", received="2026-03-06 22:41", program="bands", knows=4),
    Turn(team="Étude", received="2026-03-07 09:15", program="bands", knows=6),
    Turn(team="Fermata", received="2026-03-03 20:00", program="bands", knows=3),
    Turn(team="Fermata", received="2026-03-06 21:58", program="bands", knows=6),
    Turn(team="Glissando", received="2026-03-06 23:30", program="crashes"),
    Turn(
        team="Hemiola",
        received="2026-03-06 23:57",
        program="borrowed_bands",
        knows=7,
        weights_of="Counterpoint",
        disguise="permuted",
    ),
    Turn(team="Intervallic", received="2026-03-05 15:45", program="bands", knows=5),
    Turn(team="Jitter", received="2026-03-06 12:12", program="looks_around"),
    Turn(team="Klangfarbe", received="2026-03-06 19:19", program="forges"),
    Turn(
        team="Legato",
        received="2026-03-06 18:03",
        program="bands",
        knows=7,
        declares={"pretrained": ["VGGish"]},
    ),
    Turn(team="Leila Amiri", received="2026-03-06 10:30", program="bands", knows=5),
    Turn(team="Marek Wójcik", received="2026-03-06 23:58", program="bands", knows=5, damaged=True),
    Turn(team="Marek Wójcik", received="2026-03-08 23:00", program="bands", knows=5),
    Turn(team="Nguyễn Thị Hoa", received="2026-03-05 08:00", program="wrong_form"),
    Turn(team="Oskar Falk", received="2026-03-06 16:16", program="bands", knows=6, leaves_out=("README.md",)),
)

HW2 = (
    Turn(team="Bandpass", received="2026-04-02 14:00", program="frames"),
    Turn(team="Counterpoint", received="2026-04-03 10:10", program="frames", effort=0.7),
    Turn(team="Downbeat", received="2026-04-03 23:01", program="frames", knows=4, effort=0.1),
    Turn(team="Étude", received="2026-04-05 21:00", program="frames", effort=0.5),
    Turn(team="Fermata", received="2026-04-01 19:00", program="frames", effort=0.6, chosen=True),
    Turn(team="Fermata", received="2026-04-03 23:40", program="frames", effort=0.02),
    Turn(team="Glissando", received="2026-04-02 13:00", program="crashes"),
    Turn(team="Glissando", received="2026-04-03 22:00", program="frames", effort=0.3),
    Turn(team="Hemiola", received="2026-04-03 23:50", program="frames", effort=0.4),
    Turn(team="Intervallic", received="2026-04-02 09:00", program="frames", effort=0.9),
    Turn(team="Jitter", received="2026-04-03 20:20", program="frames", knows=6, effort=0.3),
    Turn(team="Klangfarbe", received="2026-04-03 21:21", program="forges"),
    Turn(team="Legato", received="2026-04-03 12:00", program="frames", effort=0.8),
    Turn(
        team="Leila Amiri",
        received="2026-04-03 18:00",
        program="frames",
        knows=5,
        effort=0.3,
        declares={"valid_score": 0.97},
    ),
    Turn(team="Marek Wójcik", received="2026-04-04 08:00", program="frames", effort=0.2),
    Turn(team="Nguyễn Thị Hoa", received="2026-04-03 17:00", program="frames", effort=0.5),
)

HW3 = (
    Turn(team="Bandpass", received="2026-05-07 16:00", program="bands"),
    Turn(team="Counterpoint", received="2026-05-08 12:00", program="bands", effort=0.9),
    Turn(team="Downbeat", received="2026-05-08 22:22", program="bands", effort=0.1),
    Turn(team="Étude", received="2026-05-12 09:00", program="bands", effort=0.6),
    Turn(team="Fermata", received="2026-05-08 20:00", program="bands", effort=0.7),
    Turn(team="Glissando", received="2026-05-08 21:00", program="bands", effort=0.5),
    Turn(team="Hemiola", received="2026-05-08 23:55", program="bands", effort=0.4, report="Counterpoint"),
    Turn(
        team="Intervallic",
        received="2026-05-08 23:00",
        program="bands",
        weights_of="Bandpass",
        disguise="fine-tuned",
    ),
    Turn(team="Jitter", received="2026-05-08 19:00", program="bands", effort=0.3),
    Turn(team="Klangfarbe", received="2026-05-08 19:30", program="bands", effort=0.2),
    Turn(team="Legato", received="2026-05-09 07:00", program="bands", effort=0.8),
    Turn(team="Leila Amiri", received="2026-05-08 15:00", program="bands", effort=0.3),
    Turn(team="Marek Wójcik", received="2026-05-08 15:30", program="bands", effort=0.2),
    Turn(team="Oskar Falk", received="2026-05-08 18:45", program="bands", effort=0.6),
)

STORY = {"hw1": HW1, "hw2": HW2, "final": HW3}
