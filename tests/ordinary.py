"""Run a command as an ordinary user, whoever runs the tests: root becomes one, anybody else is one."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

USER = 54321
"""Not nobody's number, so that this user's processes are the test's alone."""
CHECKOUT = Path(__file__).resolve().parents[1]
STAGE = Path("/mnt")
SECONDS = 600


def run_as_ordinary_user(
    argv: Sequence[str | Path],
    *,
    cwd: Path = CHECKOUT,
    env: Mapping[str, str] | None = None,
    timeout: float = SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run a command, of which `{home}` in an argument is a fresh folder that is its HOME and TMPDIR.

    The checkout can be read, not written. Output and errors come as text, together in stdout.
    """
    with _home() as home:
        variables = {
            "HOME": str(home),
            "TMPDIR": str(home),
            "USER": "ordinary",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [str(word).replace("{home}", str(home)) for word in argv]
        return subprocess.run(
            [*_becoming(), *command],
            cwd=cwd,
            env=os.environ | variables | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )


@contextmanager
def _home():
    """A folder of the user's own; beneath /tmp, since pytest's folders are root's alone."""
    home = Path(tempfile.mkdtemp(prefix="ordinary-", dir="/tmp"))
    try:
        if os.geteuid() == 0:
            os.chown(home, USER, USER)
        yield home
    finally:
        shutil.rmtree(home)


def _becoming() -> list[str]:
    if os.geteuid() != 0:
        return []
    user = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--bounding-set=-all", "--no-new-privs"]
    drop = shlex.join(["exec", "setpriv", *user, "--"])
    script = "\n".join([*_opened(_closed_places()), f'{drop} "$@"'])
    return ["unshare", "--mount", "--propagation", "private", "--", "sh", "-euc", script, "sh"]


def _closed_places() -> dict[Path, Path]:
    """What an ordinary user needs and can't get to, with the outermost folder that shuts it off."""
    needed = [Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), CHECKOUT]
    closed = {place: [p for p in place.parents if not p.stat().st_mode & 0o001] for place in needed}
    return {place: shut[-1] for place, shut in closed.items() if shut}


def _opened(places: dict[Path, Path]) -> list[str]:
    """Shell commands that cover each closed folder and put what is needed back where it was.

    They run in a mount namespace of their own.
    """
    if not places:
        return []
    aside, back = [f"mount -t tmpfs earmark-test {STAGE}"], []
    for number, place in enumerate(places):
        aside += [f"mkdir {STAGE}/{number}", shlex.join(["mount", "--bind", str(place), f"{STAGE}/{number}"])]
        back += [shlex.join(["mkdir", "-p", str(place)])]
        back += [shlex.join(["mount", "--bind", f"{STAGE}/{number}", str(place)])]
    cover = [
        shlex.join(["mount", "-t", "tmpfs", "-o", "mode=755", "earmark-test", str(folder)])
        for folder in dict.fromkeys(places.values())
    ]
    return [*aside, *cover, *back, f"umount --lazy {STAGE}"]
