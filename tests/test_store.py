"""The store: what goes in comes out, nothing half-written, nothing that is not finite."""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import MetaData, Table, create_engine, insert, inspect, text
from sqlalchemy.exc import IntegrityError, StatementError

from earmark.leaderboard import migrations, models
from earmark.leaderboard.engine import open_engine
from earmark.leaderboard.records import NewRun, OutcomeRecord, ScoreRecord
from earmark.leaderboard.rows import RUN_OUTLINE
from earmark.leaderboard.store import STOPPED, Store

NEW = NewRun(
    task="audio_tagging",
    submission="cnn",
    title="A small CNN",
    authors=("Ada", "Grace"),
    team="loud",
    data="effects",
    split="test",
    split_digest="d1",
    hidden=True,
    rendered=True,
    packages={"torch": "2.11.0"},
    machine={"cpus": 2},
    isolation="bubblewrap",
    submission_hash="c0ffee",
    rerun_of="abc111111111",
)
COST = {
    "seconds": 1.5,
    "audio_seconds": 30.25,
    "peak_memory_bytes": 5 << 30,
    "peak_gpu_bytes": 80 << 30,
    "parameters": 70_000_000_000,
}
SCORE = ScoreRecord(
    scorer_hash="s1",
    name="map",
    value=0.5,
    low=0.4,
    high=0.6,
    metrics={"lwlrap": 0.6, "ap": {"zebra": 0.1, "ant": None}, "confusion": [[1, 0], [2, 3]]},
    replicates=np.array([0.45, 0.5, 0.55]),
)
PUBLIC = replace(SCORE, part="public", value=0.6, high=0.7)
PRIVATE = replace(SCORE, part="private", value=0.45)
OUTCOMES = (
    OutcomeRecord(clip_id="a", group="g1", state="ok", seconds=0.1, score=0.7),
    OutcomeRecord(clip_id="b", group="g2", state="failed", verdict="crashed", message="boom"),
)


@pytest.fixture
def store(url):
    with Store(url) as opened:
        yield opened


def scored(store: Store, **changes: Any) -> str:
    run_id = store.begin(replace(NEW, **changes))
    store.finish(run_id, state="scored", outcomes=OUTCOMES, score=SCORE)
    return run_id


def test_a_run_comes_out_as_it_went_in(store):
    before = datetime.now(UTC)
    run_id = store.begin(NEW)
    running = store.run(run_id)
    assert (running.state, running.score, running.finished) == ("running", None, None)
    store.finish(
        run_id,
        state="scored",
        outcomes=OUTCOMES,
        score=SCORE,
        parts=[PUBLIC, PRIVATE],
        notes=["knows 3 of 4 classes"],
        **COST,
    )
    run = store.run(run_id)
    for name, value in vars(NEW).items():
        assert getattr(run, name) == value, name
    assert (run.state, run.clips_ok, run.clips_failed) == ("scored", 1, 1)
    assert run.notes == ("knows 3 of 4 classes",)
    assert {name: getattr(run, name) for name in COST} == COST
    assert before <= run.created <= run.finished <= datetime.now(UTC)
    assert run.created.tzinfo is not None
    assert replace(run.score, created=None) == SCORE
    assert {part: replace(score, created=None) for part, score in run.parts.items()} == {
        "public": PUBLIC,
        "private": PRIVATE,
    }
    assert list(run.score.metrics["ap"]) == ["zebra", "ant"]
    np.testing.assert_array_equal(run.score.replicates, SCORE.replicates)
    assert store.outcomes(run_id) == list(OUTCOMES)


def test_a_run_ends_once(store):
    run_id = scored(store)
    with pytest.raises(ValueError, match=rf"Run {run_id} is scored; expected one that is running"):
        store.finish(run_id, state="failed", verdict="crashed")
    assert store.run(run_id).state == "scored"
    with pytest.raises(LookupError, match="no run 'ffff'"):
        store.finish("ffff", state="failed")


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ({"state": "running"}, "ends as one of scored, failed, errored"),
        ({"state": "scored"}, "needs a score"),
        ({"state": "failed", "score": SCORE}, "has no score"),
        ({"state": "failed", "parts": [PUBLIC]}, "expected the whole, then each part at most once"),
        ({"state": "scored", "score": PUBLIC}, "expected the whole, then each part at most once"),
        ({"state": "scored", "score": SCORE, "parts": [PUBLIC, PUBLIC]}, "each part at most once"),
        (
            {"state": "scored", "score": SCORE, "parts": [replace(PUBLIC, low=math.nan)]},
            "must be finite",
        ),
        ({"state": "failed", "outcomes": OUTCOMES + OUTCOMES[:1]}, "Clip 'a' has two outcomes"),
        ({"state": "failed", "outcomes": [replace(OUTCOMES[0], score=math.nan)]}, "'a' is not finite"),
    ],
)
def test_an_impossible_end_leaves_the_run_running(store, end, message):
    run_id = store.begin(NEW)
    with pytest.raises(ValueError, match=message):
        store.finish(run_id, **end)
    assert store.run(run_id).state == "running"


@pytest.mark.parametrize(
    "change",
    [
        {"value": math.nan},
        {"low": -math.inf},
        {"high": math.inf},
        {"replicates": np.array([0.5, math.nan])},
        {"replicates": np.array([])},
        {"metrics": {"sdr": {"drums": [1.0, math.nan]}}},
    ],
    ids=str,
)
def test_what_is_not_finite_cannot_get_in(store, change):
    run_id = store.begin(NEW)
    with pytest.raises(ValueError, match="finite"):
        store.finish(run_id, state="scored", score=replace(SCORE, **change))
    assert store.run(run_id).state == "running"
    store.finish(run_id, state="scored", score=SCORE)
    with pytest.raises(ValueError, match="finite"):
        store.add_score(run_id, replace(SCORE, scorer_hash="s2", **change))
    assert store.run(run_id).score.value == 0.5


def test_a_failed_transaction_leaves_nothing(store):
    run_id = store.begin(NEW)
    with pytest.raises((StatementError, TypeError), match="not JSON serializable"):
        store.finish(run_id, state="scored", outcomes=OUTCOMES, score=replace(SCORE, metrics={"x": object()}))
    assert (store.run(run_id).state, store.outcomes(run_id)) == ("running", [])


def test_rescoring_keeps_the_old_score(store):
    run_id = scored(store)
    store.add_score(run_id, replace(SCORE, scorer_hash="s2", value=0.55))
    assert store.run(run_id).score.value == 0.55
    assert [score.scorer_hash for score in store.scores(run_id)] == ["s2", "s1"]
    store.add_score(run_id, replace(SCORE, value=0.52))
    assert [(score.scorer_hash, score.value) for score in store.scores(run_id)] == [
        ("s1", 0.52),
        ("s2", 0.55),
    ]
    assert len(store.runs()) == 1


def test_rescoring_a_part_leaves_the_others(store):
    run_id = store.begin(NEW)
    store.finish(run_id, state="scored", score=SCORE, parts=[PUBLIC, PRIVATE])
    store.add_score(run_id, replace(PUBLIC, scorer_hash="s2", value=0.65))
    store.add_score(run_id, replace(PRIVATE, value=0.41))
    run = store.run(run_id)
    assert run.score.value == 0.5
    assert {part: score.value for part, score in run.parts.items()} == {"public": 0.65, "private": 0.41}
    assert len(store.scores(run_id)) == 4
    assert [run.parts["public"].value for run in store.runs()] == [0.65]


def test_only_a_scored_run_is_scored_again(store):
    run_id = store.begin(NEW)
    with pytest.raises(ValueError, match="is running; expected one that is scored"):
        store.add_score(run_id, SCORE)
    with pytest.raises(LookupError):
        store.add_score("ffff", SCORE)
    assert store.scores(run_id) == []


def test_lookup_by_prefix(store, monkeypatch):
    ids = iter(["abc111111111", "abc222222222", "def333333333"])
    monkeypatch.setattr("secrets.token_hex", lambda _: next(ids))
    for _ in range(3):
        store.begin(NEW)
    assert store.run("d").id == "def333333333"
    assert store.run("abc2").id == "abc222222222"
    assert store.run("abc111111111").id == "abc111111111"
    with pytest.raises(LookupError, match="begins several runs: abc111111111, abc222222222"):
        store.run("abc")
    with pytest.raises(LookupError, match="Did you mean 'def333333333'"):
        store.run("def333333334")
    for wrong in ("", "%", "_bc"):
        with pytest.raises(LookupError, match="There is no run"):
            store.run(wrong)


def test_filters(store):
    first = scored(store)
    second = scored(store, task="melody_generation", submission="lstm", team="", split_digest="d2")
    running = store.begin(NEW)
    assert [run.id for run in store.runs()] == [running, second, first]
    assert [run.id for run in store.runs(task="audio_tagging")] == [running, first]
    assert [run.id for run in store.runs(states=["scored"])] == [second, first]
    assert [run.id for run in store.runs(submission="lstm")] == [second]
    assert [run.id for run in store.runs(team="")] == [second]
    assert [run.id for run in store.runs(split_digest="d1", states=["failed"])] == []


def test_an_outline_is_the_run_without_what_is_long(store):
    run_id = store.begin(NEW)
    store.finish(run_id, state="scored", score=SCORE, parts=[PUBLIC], notes=["long"], **COST)
    store.add_score(run_id, replace(SCORE, scorer_hash="s2", value=0.7))
    scored(store, task="melody_generation")
    failed = store.begin(replace(NEW, submission="lstm"))
    store.finish(failed, state="failed", verdict="crashed", outcomes=OUTCOMES)
    running = store.begin(NEW)
    outlines = store.outlines(task="audio_tagging")
    assert [run.id for run in outlines] == [running, failed, run_id]
    for outline in outlines:
        run = store.run(outline.id)
        for name in RUN_OUTLINE:
            assert getattr(outline, name) == getattr(run, name), name
    assert [run.score for run in outlines[:2]] == [None, None]
    outline = outlines[-1]
    shown = (outline.score.value, outline.score.scorer_hash, outline.parts["public"].value)
    assert shown == (0.7, "s2", 0.6)
    assert (outline.score.replicates.size, outline.score.metrics, outline.packages) == (0, {}, {})
    [only_public] = [run for run in store.outlines(parts=["public"]) if run.id == run_id]
    assert (only_public.score, list(only_public.parts)) == (None, ["public"])
    assert len(store.outlines()) == 4


def test_runs_by_id_with_some_parts(store):
    first, second, third = (store.begin(NEW) for _ in range(3))
    for run_id in (first, second, third):
        store.finish(run_id, state="scored", score=SCORE, parts=[PUBLIC, PRIVATE])
    found = store.runs(ids=[first, third, "ffff"], parts=["whole", "private"])
    assert [run.id for run in found] == [third, first]
    assert [list(run.parts) for run in found] == [["private"]] * 2
    assert store.runs(ids=[]) == []
    replicates = store.replicates([first], "public")
    assert list(replicates) == [first]
    np.testing.assert_array_equal(replicates[first], PUBLIC.replicates)


def test_texts_and_numbers_that_databases_dislike(store):
    nasty = "\x00\ud800 'quoted\" %s \\u0000 \U0001f3b5" + "long " * 200_000
    kept = nasty.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    run_id = store.begin(replace(NEW, submission=nasty, machine={nasty: [nasty, 10**30, 5e-324]}))
    outcomes = [replace(OUTCOMES[1], clip_id="\x00'", message=nasty)]
    score = replace(SCORE, metrics={"a\x00": {"\ud800": -0.0}, "n": 2**70, "tiny": 5e-324})
    counts = {"parameters": 2**62, "peak_memory_bytes": 2**62, "seconds": 1e308}
    store.finish(run_id, state="scored", score=score, outcomes=outcomes, notes=[nasty], **counts)
    run = store.run(run_id)
    assert (run.submission, run.notes, run.machine) == (kept, (kept,), {kept: [kept, 10**30, 5e-324]})
    assert run.score.metrics == {"a\ufffd": {"\ufffd": -0.0}, "n": 2**70, "tiny": 5e-324}
    assert [(outcome.clip_id, outcome.message) for outcome in store.outcomes(run_id)] == [("\ufffd'", kept)]
    assert {name: getattr(run, name) for name in counts} == counts
    assert [found.id for found in store.runs(submission=kept)] == [run_id]


def test_two_that_score_again_at_once_both_succeed(store):
    run_id = scored(store)
    again = [replace(SCORE, scorer_hash="s2", value=value) for value in (0.1, 0.2, 0.3, 0.4)]
    with ThreadPoolExecutor(len(again)) as pool:
        for done in [pool.submit(store.add_score, run_id, score) for score in again for _ in range(5)]:
            done.result()
    assert [score.scorer_hash for score in store.scores(run_id)] == ["s2", "s1"]


def test_names_cannot_rewrite_a_terminal(store):
    run_id = store.begin(
        replace(
            NEW, submission="a\x1b[2Jb", title="\u202egnp.exe", authors=["\ud800"], packages={"\x00": "\x9b"}
        )
    )
    run = store.run(run_id)
    assert run.submission == "a\ufffd[2Jb"
    assert run.title == "\ufffdgnp.exe"
    assert run.authors == ("\ufffd",)
    assert run.packages == {"\ufffd": "\ufffd"}
    store.finish(run_id, state="failed", verdict="crashed", reason="line 1\n\tline 2: naïve 音楽")
    assert store.run(run_id).reason == "line 1\n\tline 2: naïve 音楽"


def test_foreign_keys_hold(url):
    engine = open_engine(url)
    outcome = {"run_id": "ffff", "clip_id": "a", "group": "g", "state": "ok", "verdict": "", "message": ""}
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"), engine.begin() as connection:
        connection.execute(insert(models.OUTCOMES).values(**outcome, seconds=0.0))
    engine.dispose()


def test_sqlite_writes_ahead_and_waits(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/runs.db")
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 30_000
    engine.dispose()


def test_migrations_give_the_tables_of_the_models(url):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = open_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), models.METADATA) == []
        checks = inspect(connection).get_multi_check_constraints()  # compare_metadata leaves them out
    assert {table: [check["name"] for check in found] for (_, table), found in checks.items() if found} == {
        "outcomes": ["ck_outcomes_state"],
        "runs": ["ck_runs_state"],
        "scores": ["ck_scores_part"],
    }
    engine.dispose()


def test_head_is_the_newest_version():
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "earmark.leaderboard:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


def test_runs_of_before_stay_with_defaults(url, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "HEAD", "v0002")
        engine = open_engine(url)
    now = datetime.now(UTC)
    run = dict.fromkeys(("title", "team", "verdict", "reason", "device", "code_hash", "weights_hash"), "old")
    run |= {"id": "abc111111111", "task": "t", "submission": "cnn", "data": "d", "split": "test"}
    run |= {"split_digest": "x", "state": "scored", "owner": "host:1:1", "created": now, "seconds": 2.5}
    run |= dict.fromkeys(("rendered", "hidden", "sealed", "reference"), True) | {"authors": ["Ada"]}
    run |= {"notes": [], "packages": {}, "machine": {}, "clips_ok": 3, "clips_failed": 0}
    score = {"run_id": run["id"], "name": "map", "unit": "", "value": 0.5, "low": 0.4, "high": 0.6}
    score |= {"metrics": {"auc": 0.9}, "intervals": {}, "created": now}
    score |= {"replicates": SCORE.replicates.tobytes()}
    scores = [{**score, "scorer_hash": "s0", "value": 0.3}, {**score, "scorer_hash": "s1"}]
    with engine.begin() as connection:
        for name, rows in (("runs", [run]), ("scores", scores)):
            table = Table(name, MetaData(), autoload_with=connection)
            connection.execute(table.insert(), rows)
    engine.dispose()
    with Store(url) as store:
        [old] = store.runs()
        assert (old.authors, old.seconds, old.score.value) == (("Ada",), 2.5, 0.5)
        np.testing.assert_array_equal(old.score.replicates, SCORE.replicates)
        assert (old.isolation, old.submission_hash, old.rerun_of, old.parameters) == ("", "", None, None)
        assert (old.score.part, old.parts) == ("whole", {})
        store.add_score(old.id, PUBLIC)
        assert [(score.part, score.scorer_hash) for score in store.scores(old.id)] == [
            *(("public", "s1"), ("whole", "s1"), ("whole", "s0")),
        ]


def test_a_database_of_a_newer_earmark_is_refused(url):
    Store(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'v9999'"))
    engine.dispose()
    with pytest.raises(ValueError, match=r"'v9999'.*newer earmark has written it"):
        Store(url)


def test_opening_an_up_to_date_database_does_not_import_alembic(url):
    Store(url).close()
    code = (
        "import sys; from earmark.leaderboard.store import Store; Store(sys.argv[1]).close();"
        "print([name for name in ('alembic', 'pandas', 'rich', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, url],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_sweep_spares_the_living_and_other_hosts(store, monkeypatch):
    own = store.begin(NEW)
    monkeypatch.setattr("earmark.leaderboard.owner.this_process", lambda: "another-host:1:1")
    elsewhere = store.begin(NEW)
    assert store.sweep() == []
    assert {run.state for run in store.runs()} == {"running"}
    assert {run.id for run in store.runs()} == {own, elsewhere}


def test_sweep_knows_a_pid_that_was_given_out_again(store, monkeypatch):
    from earmark.leaderboard import owner

    host, pid, start = owner.this_process().rsplit(":", 2)
    monkeypatch.setattr("earmark.leaderboard.owner.this_process", lambda: f"{host}:{pid}:{int(start) - 1}")
    run_id = store.begin(NEW)
    assert store.sweep() == [run_id]
    run = store.run(run_id)
    assert (run.state, run.reason, run.finished is None) == ("errored", STOPPED, False)
    assert store.sweep() == []
    with pytest.raises(ValueError, match="is errored; expected one that is running"):
        store.finish(run_id, state="scored", score=SCORE)
