"""Eight processes that write runs and are killed at random, two that read and sweep all the time.

    python tests/chaos.py URL SEED

Writes, as JSON, what the processes acknowledged before they died: {"begun": [id …], "scored": …, "failed": …,
"rescored": …, "swept": …, "torn": [what a reader saw and should not have …], "exits": [code …]}.
A child begins as a fork of this process, which has imported everything and opened nothing.
"""

import json
import os
import random
import select
import signal
import sys
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np

from earmark.leaderboard.records import NewRun, OutcomeRecord, ScoreRecord
from earmark.leaderboard.store import Store

WRITERS, READERS, KILLS, SCORED = 8, 2, 40, 80
CLIPS = 50
OUTCOMES = [OutcomeRecord(clip_id=f"{i:03}", group="g", state="ok") for i in range(CLIPS)]
WHOLE = ScoreRecord(scorer_hash="s1", name="map", value=0.5, low=0.4, high=0.6, replicates=np.full(1000, 0.5))
PARTS = [replace(WHOLE, part="public"), replace(WHOLE, part="private")]


def write(url, name, say):
    with Store(url) as store:
        number = 0
        while True:
            number += 1
            new = NewRun(task="t", submission=f"{name} {number}", data="d", split="test", split_digest="x")
            run_id = store.begin(new)
            say("begun", run_id)
            if number % 4 == 3:
                store.finish(run_id, state="failed", verdict="crashed", outcomes=OUTCOMES[:7])
                say("failed", run_id)
                continue
            store.finish(run_id, state="scored", outcomes=OUTCOMES, score=WHOLE, parts=PARTS)
            say("scored", run_id)
            if number % 4 == 1:
                store.add_score(run_id, replace(WHOLE, scorer_hash="s2"))
                say("rescored", run_id)


def read(url, say):
    """Look at the newest runs and end those whose writer died, until told to stop or left alone."""
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    parent = os.getppid()
    with Store(url) as store:
        while not stopped and os.getppid() == parent:
            for run_id in store.sweep():
                say("swept", run_id)
            for outline in store.outlines()[:20]:
                wrong = torn(store, outline.id)
                if wrong or (outline.state == "scored") != (outline.score is not None):
                    say("torn", f"{outline.id}: {wrong or 'its outline'}")


def torn(store, run_id):
    """What is not whole about a run; None if nothing."""
    run = store.run(run_id)
    seen = run.state, run.clips_ok, run.score is not None, len(run.parts), run.finished is not None
    whole = {
        "running": ("running", 0, False, 0, False),
        "errored": ("errored", 0, False, 0, True),
        "failed": ("failed", 7, False, 0, True),
        "scored": ("scored", CLIPS, True, 2, True),
    }
    if seen != whole[run.state]:
        return f"looks like {seen}"
    outcomes = len(store.outcomes(run_id))
    # One that was still running may have ended meanwhile.
    return f"{outcomes} outcomes of a {run.state} run" if run.finished and outcomes != run.clips_ok else None


class Crowd:
    """The children that live, and what all have said so far."""

    def __init__(self):
        self.pipes, self.said, self.exits, self.rest = {}, defaultdict(list), [], defaultdict(bytes)

    def start(self, work, *words):
        """Fork a child that works; its process id."""
        ours, theirs = os.pipe()
        if pid := os.fork():
            os.close(theirs)
            self.pipes[pid] = ours
            return pid
        for pipe in (ours, *self.pipes.values()):
            os.close(pipe)  # so that nobody listens any more once this process is gone
        try:
            # In one piece or not at all, since it is shorter than a pipe's buffer.
            work(*words, lambda *said: os.write(theirs, (" ".join(said) + "\n").encode()))
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - whatever it was, it is told
            os.write(theirs, f"torn {type(error).__name__}: {' '.join(str(error).split())[:300]}\n".encode())
        finally:
            os._exit(1)

    def hear(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for pipe in select.select(list(self.pipes.values()), [], [], left)[0]:
                self.take(pipe)

    def take(self, pipe):
        """Take what a pipe holds; False at its end."""
        piece = os.read(pipe, 1 << 16)
        *lines, self.rest[pipe] = (self.rest[pipe] + piece).split(b"\n")
        for line in lines:
            what, _, which = line.decode().partition(" ")
            self.said[what].append(which)
        if not piece:
            time.sleep(0.01)  # it has ended without being told to
        return bool(piece)

    def end(self, pid, how):
        """Signal a child to end, and hear what it had still said."""
        os.kill(pid, how)
        pipe = self.pipes.pop(pid)
        while self.take(pipe):
            pass
        os.close(pipe)
        self.rest.pop(pipe)
        self.exits.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def main(url, seed):
    rng, crowd = random.Random(seed), Crowd()
    for _ in range(READERS):
        crowd.start(read, url)
    writers = [crowd.start(write, url, f"writer {number}") for number in range(WRITERS)]
    kills, deadline = 0, time.monotonic() + 300
    while (kills < KILLS or len(crowd.said["scored"]) < SCORED) and time.monotonic() < deadline:
        crowd.hear(rng.uniform(0, 0.3))
        victim = rng.randrange(WRITERS)
        crowd.end(writers[victim], signal.SIGKILL)
        kills += 1
        writers[victim] = crowd.start(write, url, f"writer {WRITERS + kills}")
    for writer in writers:
        crowd.end(writer, signal.SIGKILL)
    for reader in list(crowd.pipes):
        crowd.end(reader, signal.SIGTERM)
    json.dump({**crowd.said, "exits": crowd.exits}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
