"""Download a file so that nothing that has come is lost: resumed where it broke off, and verified by pooch."""

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pooch
import requests
from rich.progress import Progress, TaskID
from urllib3.exceptions import HTTPError as BrokenBody

from earmark.errors import EarmarkError, InstructorError, OurFault

TRIES = 5
"""So many connections in a row may bring nothing new before an address is given up."""
WAIT_SECONDS = 1.0
"""Before the second of them; doubled before each other."""
TIMEOUT_SECONDS = (15, 60)
"""To connect, and without a byte thereafter."""
CHUNK_BYTES = 1 << 16
"""Small, since a process that is killed loses what has come of one."""
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""HTTP states that another try may mend."""


def download(urls: Sequence[str], to: Path, *, checksum: str, progress: Progress) -> None:
    """The file `to`, from the first of these addresses that has it with this checksum ("" if none is known).

    A file that is there with it is left as it is. What has come from an address stands beside `to` in a file
    of its own until it is whole, and is continued by the next call. Addresses are http, https or file.

    Raises InstructorError where no address could be reached or the connection keeps breaking, OurFault where a
    server refuses or has another file, OSError where the disk is full.
    """
    pooch.get_logger().setLevel("WARNING")
    task = progress.add_task(to.name, total=None)
    faults: list[EarmarkError] = []
    for url in urls:
        try:
            pooch.retrieve(
                url,
                checksum or None,
                fname=to.name,
                path=to.parent,
                downloader=partial(_fetch, part=part_of(to, url), progress=progress, task=task),
            )
        except EarmarkError as fault:
            faults.append(fault)
        except ValueError:  # pooch's, which has thrown the file away
            faults.append(OurFault(f"{url}: what came has not the checksum {checksum}, and was thrown away."))
        else:
            progress.update(task, total=to.stat().st_size, completed=to.stat().st_size)
            return
        progress.console.print(str(faults[-1]), style="yellow", markup=False, soft_wrap=True)
    ours = any(isinstance(fault, OurFault) for fault in faults)
    said = " ".join(str(fault) for fault in faults)
    raise (OurFault if ours else InstructorError)(f"{to.name} could not be downloaded. {said}")


def part_of(to: Path, url: str) -> Path:
    """Where what has come from an address is kept until it is whole; a file for each, since they may differ."""
    return to.with_name(f"{to.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part")


def _fetch(url: str, output: str, _pooch: object, *, part: Path, progress: Progress, task: TaskID) -> None:
    """Bring the file at `url` to the path `output`; called by pooch, which then verifies it."""
    address = urlsplit(url)
    if address.scheme == "file":
        source = Path(unquote(address.path))
        if not source.is_file():
            raise InstructorError(f"{source} is not there.")
        shutil.copyfile(source, output)
        return
    transfer = _Transfer(url, part, progress, task)
    transfer.run()
    part.replace(output)
    transfer.note.unlink(missing_ok=True)


class _Transfer:
    """One file on its way from one address into `part`, over as many connections as it takes."""

    def __init__(self, url: str, part: Path, progress: Progress, task: TaskID) -> None:
        self.url, self.part, self.progress, self.task = url, part, progress, task
        self.note = part.with_suffix(".json")
        """What the server said of the file that `part` is the beginning of."""

    def run(self) -> None:
        """Continue until the file is whole. Raises InstructorError or OurFault where the address is given up."""
        furthest, misses = self._size(), 0
        while True:
            try:
                return self._connect()
            except ValueError:  # of requests: no address at all
                raise InstructorError(f"{self.url} is no address that can be downloaded from.") from None
            except (requests.RequestException, BrokenBody) as error:
                misses = 0 if self._size() > furthest else misses + 1
                furthest = max(furthest, self._size())
                self._give_up_or_wait(error, misses)

    def _give_up_or_wait(self, error: Exception, misses: int) -> None:
        why = _reason(error)
        if isinstance(error, requests.HTTPError) and error.response is not None:
            why = f"the server answers {error.response.status_code} ({error.response.reason})"
            if misses == TRIES or error.response.status_code not in PASSING:
                raise OurFault(f"{self.url}: {why}.") from None
        if misses == TRIES:
            raise InstructorError(
                f"{self.url}: {TRIES} connections in a row brought nothing ({why}). Is this machine online? "
                "What has come is kept: the same command continues."
            ) from None
        seconds = WAIT_SECONDS * 2**misses
        self._say(f"{why}; {self._size():,} bytes are here, going on in {seconds:.0f} s")
        time.sleep(seconds)

    def _connect(self) -> None:
        have, known = self._size(), self._known()
        if have and have == known.get("total"):
            return
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-"}
        if have and known.get("validator"):
            headers |= {"If-Range": known["validator"]}
        with requests.get(self.url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as answer:
            refused = answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            if not (have and refused):
                answer.raise_for_status()
            said: dict[str, Any] = {"validator": _validator(answer), "total": _total(answer)}
            whole = answer.status_code == HTTPStatus.OK
            continued = _starts_at(have, answer) and said["total"] and said == known
            if have and not continued:
                self._say("the server can't continue it, or its file has changed: starting over")
                self.part.unlink()
            if continued or whole or not have:
                self.note.write_text(json.dumps(said), encoding="utf-8")
                self._receive(answer, said["total"])
                return
        self._connect()

    def _receive(self, answer: requests.Response, total: int | None) -> None:
        self.progress.update(self.task, total=total, completed=self._size())
        with self.part.open("ab") as file:
            # Not as requests would decode it: a server may call the gzip of a tar.gz an encoding.
            for chunk in answer.raw.stream(CHUNK_BYTES, decode_content=False):
                file.write(chunk)
                self.progress.advance(self.task, len(chunk))
        if total is not None and self._size() != total:
            raise requests.ConnectionError(f"it ended after {self._size():,} of {total:,} bytes")

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _known(self) -> dict[str, Any]:
        try:
            known = json.loads(self.note.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _say(self, what: str) -> None:
        name = self.part.name.rsplit(".", 2)[0]
        self.progress.console.print(f"{name}: {what}", style="yellow", markup=False, soft_wrap=True)


def _validator(answer: requests.Response) -> str:
    """What tells this version of the file from others, "" if nothing does; a weak ETag says too little."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _starts_at(byte: int, answer: requests.Response) -> bool:
    """Whether the answer is the rest of the file from this byte on."""
    part = answer.status_code == HTTPStatus.PARTIAL_CONTENT
    return part and answer.headers.get("Content-Range", "").startswith(f"bytes {byte}-")


def _total(answer: requests.Response) -> int | None:
    """How long the whole file is in bytes, where the server says so."""
    length = answer.headers.get("Content-Length", "")
    if answer.status_code != HTTPStatus.OK:
        length = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return int(length) if length.isdecimal() else None


def _reason(error: BaseException) -> str:
    """The innermost of what requests wraps into one another, in few words."""
    while True:
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if not isinstance(inner, BaseException):
            return str(error).rpartition(": ")[2] or type(error).__name__
        error = inner
