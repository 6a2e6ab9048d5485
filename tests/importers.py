"""What learning systems do with a gradebook that is uploaded, by their own rules, and what spreadsheets run of one.

Written from the rules of Canvas's lib/gradebook_importer.rb and Moodle's grade/import/csv/classes/load_data.php.
"""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal


@dataclass(frozen=True)
class User:
    """Of Canvas or of Moodle."""

    id: int
    name: str
    sortable: str = ""
    sis: str = ""
    login: str = ""
    idnumber: str = ""
    email: str = ""


@dataclass
class Canvas:
    """A course of Canvas: users, titles of assignments by number, scores by user's and assignment's number."""

    users: list[User]
    titles: dict[int, str]
    scores: dict[tuple[int, int], str] = field(default_factory=dict)
    possible: dict[int, str] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    """Names and titles that it would make anew."""

    def upload(self, content):
        text = content.decode()  # its mark stays: Ruby's CSV does not take it off
        header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter(text))
        assert "Student" in header[0]
        assert "ID" in header[1]
        width = 3 + 2 * ("SIS User ID" in header[2]) if "SIS Login ID" in header else 3
        width += header[2] == "SIS Login ID"
        assert header[width - 1] == "Section"
        columns = {place: self._assignment(header[place]) for place in range(width, len(header))}
        changed = {}
        for row in rows:
            if "Points Possible" in row[0]:
                self.possible |= {number: row[place] for place, number in columns.items() if number}
            elif not all(
                re.fullmatch(r"\s*(Muted|Manual Posting.*)?\s*", cell, re.IGNORECASE) for cell in row
            ):
                user = self._user(dict(zip(header, row, strict=True)), row[0])
                new = {
                    number: self._plain(row[place]) for place, number in columns.items() if number and user
                }
                changed |= {
                    (user, each): cell for each, cell in new.items() if self._differs(user, each, cell)
                }
        self.scores |= changed
        return changed

    @staticmethod
    def _delimiter(text):
        lines = text.splitlines()[:3]
        count = {}
        for mark in ";,":
            fields = {len(next(csv.reader([line], delimiter=mark))) for line in lines}
            count[mark] = fields.pop() if len(fields) == 1 else 0
        return ";" if count[";"] > count[","] else ","

    def _assignment(self, header):
        if re.search("(Current|Final|Override) (Score|Points|Grade|Status)", header):
            return None
        numbered = re.fullmatch(r"(.*)\s\((\d+)\)", header)
        if numbered and int(numbered[2]) in self.titles:
            return int(numbered[2])
        known = next((number for number, title in self.titles.items() if title == header), None)
        if known is None:
            self.new.append(header)
        return known

    def _user(self, row, name):
        digits = re.match(r"\s*(\d+)", row["ID"])  # String#to_i
        keys = [
            lambda user: bool(digits) and user.id == int(digits[1]),
            lambda user: user.sis and user.sis == row.get("SIS User ID"),
            lambda user: user.login and user.login == row.get("SIS Login ID"),
            lambda user: name in (user.name, user.sortable),
        ]
        for key in keys:
            for user in self.users:
                if key(user):
                    return user.id
        self.new.append(name)
        return None

    @staticmethod
    def _plain(cell):
        if re.fullmatch(r"-?[0-9.,]+%?", cell):
            *whole, last = re.split("[,.]", cell)
            return f"{''.join(whole)}.{last}" if whole else last
        return cell.strip()

    def _differs(self, user, number, cell):
        now = self.scores.get((user, number), "")
        if now == cell or (now in ("", "-") and cell in ("", "-")):
            return False
        if not now or not cell or "EX" in (now.upper(), cell.upper()):
            return True
        return hundredths(now) != hundredths(cell)


def hundredths(cell):
    """As Rails shows a number with two digits."""
    return Decimal(cell).quantize(Decimal("0.01"), ROUND_HALF_UP)


class MoodleError(Exception):
    """The whole file is refused."""


def moodle_upload(content, users, *, by, items, most=100.0):
    """Grades and feedback by user and item; `by`: the column that is mapped to `idnumber` or `email`."""
    (column, attribute) = by
    text = content.decode().removeprefix("\ufeff")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    grades, feedback, user = {}, {}, None  # user is not forgotten between lines
    for row in rows:
        cells = {name.strip(): cell.strip() for name, cell in zip(header, row, strict=True)}
        if cells[column] not in ("", "0"):
            user = next((each.id for each in users if getattr(each, attribute) == cells[column]), None)
            if user is None:
                raise MoodleError(cells[column])
        if user is None:
            raise MoodleError("no user")
        for item in items:
            value = None if cells[item] in ("", "-") else float(cells[item])
            if value is not None and value > most:
                raise MoodleError("too big")
            grades[user, item], feedback[user, item] = value, cells[f"{item} feedback"]
    return grades, feedback


def formulas(content):
    """Cells that some spreadsheet would run, by whichever mark it parts cells; numbers aside."""
    found = []
    for mark in ",;\t":
        for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=mark):
            plain = (unicodedata.normalize("NFKC", cell).lstrip() for cell in row)
            found += [cell for cell in plain if cell[:1] in {"=", "+", "-", "@"} and not _is_number(cell)]
    return found


def _is_number(cell):
    return re.fullmatch(r"-?\d+([.,]\d+)?", cell) is not None
