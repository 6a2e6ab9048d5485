"""A grader that is killed again and again, its disk full or its database gone at times, and resumed until it is done.

    python tests/interrupted.py COURSE DATA SEED KILLS SECONDS SUBMISSION…

Each life of the grader is a fork of this process, which has imported everything and opened nothing. Writes, as JSON,
how many lives ended how, how many clips were answered in an earlier life, how many calls that took, and seconds.
SECONDS is what one call takes undisturbed: lives are drawn by it.
"""

import json
import os
import random
import resource
import select
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from earmark import feeding
from earmark.calling import Call
from earmark.journal import Journal
from earmark.leaderboard import engine
from earmark.plan import Planned

LIVES = 6
"""In which a call would end, if all were as long as the longest."""
feeding.BATCH_CLIPS = 2
engine._BUSY_SECONDS = 0.5


def life(asked, say):
    """Grade in a fork of this process; its process id and the file that says when it has ended."""
    if pid := os.fork():
        return pid, os.pidfd_open(pid)
    code = 1
    try:
        with say.open("a") as out:
            recalled = Journal.reply

            def reply(*words):
                out.write("recalled\n")
                out.flush()
                return recalled(*words)

            Journal.reply = reply
            call = Call(asked, resume=not asked, jobs=1)
            with call.stoppable() as results:
                out.writelines(f"{result.fault}\n" for result in results if result.fault)
            code = 3 if call.left else 0
    except BaseException as error:  # noqa: BLE001 - whatever it was, it is told
        code = 3
        with suppress(OSError), say.open("a") as out:
            out.write(f"{type(error).__name__}: {error}\n")
    finally:
        os._exit(code)


def ended(life, seconds):
    """Whether a life ends of itself within this time."""
    return bool(select.select([life[1]], [], [], seconds)[0])


def kill(life, _course):
    os.kill(life[0], signal.SIGKILL)


def kill_worker_too(life, course):
    """Its worker first, but so that it does not hear of it: what is asked is not lost by its own fault."""
    os.kill(life[0], signal.SIGSTOP)
    for child in Path(f"/proc/{life[0]}/task/{life[0]}/children").read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)
    kill(life, course)


def fill_disk(life, _course):
    """No file of it may grow any more, for as long as it lives."""
    with suppress(ProcessLookupError):
        resource.prlimit(life[0], resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    if not ended(life, 5):
        os.kill(life[0], signal.SIGKILL)


def take_database(life, course):
    away, place = course / "database.away", course / "database"
    os.kill(life[0], signal.SIGSTOP)
    place.rename(away)
    place.touch()  # or one that just begins would make a new database
    os.kill(life[0], signal.SIGCONT)
    if not ended(life, 5):
        os.kill(life[0], signal.SIGKILL)
        ended(life, 5)
    place.unlink()
    away.rename(place)


def stop(life, _course):
    os.kill(life[0], signal.SIGTERM)


HOW = {kill: 10, kill_worker_too: 3, fill_disk: 3, take_database: 3, stop: 2}


def call(course, asked, say, done, draw):
    """One call of many submissions, disturbed and resumed until all of it has ended."""
    code, begun = None, False
    while code != 0:
        one = life([] if begun else asked, say)
        if ended(one, (moment := draw())[0]):
            how = "of itself"
        else:
            moment[1](one, course)
            how = moment[1].__name__
        code = os.waitstatus_to_exitcode(os.waitpid(one[0], 0)[1])
        os.close(one[1])
        begun = begun or any((course / "plans").glob("*.plan"))
        done[how] += 1


def main(course, data, seed, kills, seconds, *folders):
    course, say = Path(course), Path(course, "said")
    rng, done, calls = random.Random(int(seed)), Counter(), 0

    def draw():
        """After how long, and how, the next life ends."""
        if done.total() - done["of itself"] >= int(kills):
            return 600.0, kill
        return rng.uniform(0.0, float(seconds) / LIVES), rng.choices(list(HOW), HOW.values())[0]

    begin = time.monotonic()
    while calls == 0 or done.total() - done["of itself"] < int(kills):
        calls += 1
        asked = [
            Planned(
                folder=folder,
                task=task,
                name=f"{Path(folder).name} {calls}",
                data=data,
                device="cpu",
                isolation="none",
            )
            for folder in folders
            for task in ("loudness", "twice")
        ]
        call(course, asked, say, done, draw)
    took = time.monotonic() - begin
    recalled = say.read_text().count("recalled\n") if say.exists() else 0
    json.dump({"how": done, "calls": calls, "recalled": recalled, "seconds": took}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
