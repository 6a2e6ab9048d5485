"""Code that was copied is found however it is renamed and moved; code of different authors is not."""

import re
import sysconfig
from itertools import combinations
from pathlib import Path

import pytest

from earmark.copies import code
from earmark.homework.evidence import THRESHOLDS

LIBRARY = Path(sysconfig.get_path("stdlib"))
LOOK = THRESHOLDS["code"]


INDEPENDENT = [
    *(
        "bdb",
        "cgitb",
        "chunk",
        "cmd",
        "codeop",
        "colorsys",
        "compileall",
        "copy",
        "filecmp",
        "fileinput",
        "fractions",
    ),
    *(
        "getopt",
        "getpass",
        "graphlib",
        "gzip",
        "hmac",
        "linecache",
        "mailcap",
        "netrc",
        "pprint",
        "pyclbr",
        "queue",
    ),
    *(
        "quopri",
        "reprlib",
        "runpy",
        "sched",
        "selectors",
        "shelve",
        "shlex",
        "tabnanny",
        "textwrap",
        "timeit",
    ),
    *("trace", "tty", "uuid", "zipapp"),
]


def module(name):
    return (LIBRARY / f"{name}.py").read_text(encoding="utf-8")


def functions(text):
    """The text's blocks that begin at the margin."""
    return re.split(r"\n(?=def |class |@)", text)


def renamed(text):
    return re.sub(r"\b(dirs|path|filename|lines|result|name)\b", lambda found: f"my_{found.group()}_x", text)


ORIGINAL = module("fnmatch") + module("stat")


def test_a_copy():
    a, b = code.fingerprints({"a.py": ORIGINAL}), code.fingerprints({"b.py": ORIGINAL})
    assert code.likeness(a, b) == 1


def test_a_renamed_reordered_and_recommented_copy_in_another_number_of_files():
    blocks = [f"# {number}\n{block}" for number, block in enumerate(functions(renamed(ORIGINAL)))]
    turned = blocks[::-1]
    files = {"x.py": "\n\n".join(turned[: len(turned) // 2]), "y.py": "\n".join(turned[len(turned) // 2 :])}
    found = code.likeness(code.fingerprints({"a.py": ORIGINAL}), code.fingerprints(files))
    assert found > 0.9


def test_half_shared():
    other = module("bisect") + module("colorsys")
    a = code.fingerprints({"a.py": module("fnmatch") + module("bisect")})
    b = code.fingerprints({"b.py": module("fnmatch") + module("colorsys")})
    assert LOOK < code.likeness(a, b) < 0.9
    assert (
        code.likeness(code.fingerprints({"a.py": other}), code.fingerprints({"b.py": module("fnmatch")}))
        < LOOK
    )


def test_thirty_authors_who_started_from_the_same_code():
    """Modules of the standard library stand for what each wrote beside it; no two of these are relatives."""
    started = module("fnmatch")
    names = (LIBRARY / f"{name}.py" for name in INDEPENDENT)
    own = [path.read_text(encoding="utf-8") for path in names if path.is_file()][:30]
    assert len(own) == 30
    given = code.grams({"start.py": started})
    prints = [code.fingerprints({"a.py": started, "b.py": text}, given) for text in own]
    found = [code.likeness(a, b) for a, b in combinations(prints, 2)]
    assert max(found) < LOOK
    bare = [code.fingerprints({"a.py": started, "b.py": module(name)}) for name in ("sched", "chunk")]
    assert code.likeness(*bare) > LOOK  # without boilerplate they would all be alike


def test_what_repeats_itself_and_is_no_boilerplate_stays():
    text = "\n".join(["x = first(second[1:3], third, fourth)"] * 20)
    given = code.grams({"s.py": module("stat")})
    assert code.fingerprints({"a.py": text}, given).own == code.fingerprints({"a.py": text}).own > 0


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", "x = 1"])
def test_too_little_is_not_compared(text):
    assert code.likeness(code.fingerprints({"a.py": text}), code.fingerprints({"b.py": ORIGINAL})) is None


def test_matching_lines_are_those_that_match():
    ours = "\n\n\nclass Thing:\n    pass\n\n" + module("colorsys")
    theirs = module("bisect") + module("colorsys")
    a, b = code.fingerprints({"a.py": ours}), code.fingerprints({"b.py": "", "c.py": theirs})
    lines, others = code.matching_lines(a, b)
    text = {("a.py", n + 1): line for n, line in enumerate(ours.split("\n"))}
    text |= {("c.py", n + 1): line for n, line in enumerate(theirs.split("\n"))}
    assert all(line.text == text[line.file, line.number] for line in [*lines, *others])
    matched = [line for line in lines if line.partner and len(line.text.split("#")[0].strip()) > 12]
    assert len(matched) > 60
    assert sum(text[line.partner] == line.text for line in matched) > 0.9 * len(matched)


def test_of_code_that_repeats_itself_only_so_many_matches_are_kept(monkeypatch):
    once = code.fingerprints({"a.py": "a(b, c)[d] = e.f(g) + h\n" * 400})
    kept = []
    monkeypatch.setattr(code, "islice", lambda found, most: kept.extend(found) or kept[:most])
    ours, theirs = code.matching_lines(once, once)
    assert ours
    assert theirs
    assert len(kept) == len(once.print.hashes) * code.MOST_PLACES**2
