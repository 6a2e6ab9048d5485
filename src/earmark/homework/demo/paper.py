"""Reports of invented students: a page of text each, as a PDF."""

import random
import textwrap

TOPICS = {
    "input": ("band energies", "a log spectrum", "a constant-Q transform", "energies on the mel scale"),
    "problem": (
        "the classes that sound alike", "notes that are softer than the others", "how few clips there are of some",
        "recordings of which only the first half sounds", "the model, which learnt loudness before timbre",
    ),
    "step": (
        "took the loudness out of every frame", "drew the training clips anew each epoch", "halved the learning rate",
        "added noise to the input", "looked at the confusion matrix by hand", "threw the widest layer away",
        "listened to every clip that was wrong", "trained on what was left after each fold",
    ),
    "result": (
        "helped more than any larger network", "made no difference that we would call one", "cost us two evenings",
        "moved the score by less than its interval", "was what finally separated the last two classes",
    ),
}  # fmt: skip
OPENINGS = (
    "First we",
    "Then we",
    "On the second day we",
    "Against our own advice we",
    "To be sure, we",
    "At last we",
)
WIDTH, LEADING, TOP, LINES = 84, 14, 780, 50


def essay(team: str) -> str:
    """What this team wrote: the same each time, and another text for each team."""
    draw = random.Random(team)  # noqa: S311 - an invented report is no secret
    said = [
        f"Our model hears {draw.choice(TOPICS['input'])}; what was hard is {draw.choice(TOPICS['problem'])}."
    ]
    for opening in draw.sample(OPENINGS, len(OPENINGS)):
        steps = draw.sample(TOPICS["step"], 2)
        said.append(f"{opening} {steps[0]} and {steps[1]}, which {draw.choice(TOPICS['result'])}.")
        said.append(
            f"With {draw.randint(20, 90)} epochs and a rate of {draw.randint(1, 9)}e-3 the validation score rose from "
            f".{draw.randint(10, 40)} to .{draw.randint(41, 80)}, for {draw.choice(TOPICS['problem'])} by half of that."
        )
    return " ".join(said)


def as_pdf(text: str) -> bytes:
    """A PDF of one page (ISO 32000-1, 7.5) with this text, of which Latin letters are shown."""
    lines = textwrap.wrap(text.encode("latin-1", "replace").decode("latin-1"), WIDTH)[:LINES]
    shown = [line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in lines]
    drawn = "\n".join(f"({line}) Tj T*" for line in shown)
    page = f"BT /F1 11 Tf {LEADING} TL 60 {TOP} Td\n{drawn}\nET".encode("latin-1")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Font << /F1 5 0 R >> >>",
    ]
    made, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, start=1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    made += b"".join(b"%010d 00000 n \n" % place for place in places)
    made += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(made)
