"""Errors of the machine that runs submissions, by owner: the student's or ours."""


class EarmarkError(Exception):
    """Any error that earmark expects and explains; its text is written for the one who can mend it."""


class SubmissionError(EarmarkError):
    """The student's: the folder, its code or its answers. `verdict` is one of the words in VERDICTS."""

    def __init__(self, verdict: str, message: str) -> None:
        """Keep the verdict beside the message; both are shown to the student."""
        super().__init__(message)
        self.verdict = verdict


def refused(message: str) -> SubmissionError:
    """The refusal of a hand-in: it is not taken, and nothing of it is run."""
    return SubmissionError("refused", message)


class OurFault(EarmarkError):  # noqa: N818 - named for whose it is
    """Ours or the machine's: no sandbox here, a full disk. It never costs a student anything."""


VERDICTS = ("time limit", "memory limit", "output limit", "crashed", "wrong form", "too large", "refused")


def legible(text: str) -> str:
    """Text of a stranger's without what a terminal or a file could trip over."""
    text = text.encode(errors="replace").decode()
    return "".join(c for c in text if c.isprintable() or c in "\n\t")
