"""Where there is no sandbox nothing runs, and who runs earmark is told why and what to do."""

import platform
import sys

import pytest
from ordinary import run_as_ordinary_user

from earmark.batch import isolation_named
from earmark.errors import InstructorError
from earmark.submissions import landlocked, refusal
from earmark.submissions.errors import OurFault
from earmark.submissions.limits import Limits
from earmark.submissions.refusal import explain
from earmark.submissions.session import Session

LIMITS = Limits(startup_seconds=30)
NOT_ALLOWED = (
    "bwrap: No permissions to create new namespace, likely because the kernel does not allow non-privileged "
    "user namespaces."
)


@pytest.fixture(autouse=True)
def plain_machine(monkeypatch):
    """A Debian that is no container, whatever the tests run on."""
    monkeypatch.setattr(refusal, "SIGNS_OF_CONTAINER", ())
    distribution(monkeypatch, "debian")


def distribution(monkeypatch, name, like=""):
    told = {"ID": name} | ({"ID_LIKE": like} if like else {})
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: told)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("bwrap: setting up uid map: Permission denied", "apparmor_parser -r"),
        ("bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", "bwrap-userns-restrict"),
        ("bwrap: Creating new namespace failed: No space left on device", "user.max_user_namespaces=15000"),
        ("unshare: unshare failed: No space left on device", "user.max_user_namespaces=15000"),
        (
            "bwrap: Creating new namespace failed: /proc/sys/user/max_*_namespaces exceeded (ENOSPC)",
            "user.max_user_namespaces=15000",
        ),
        (NOT_ALLOWED, "kernel.unprivileged_userns_clone=1"),
        ("unshare: unshare failed: Operation not permitted", "kernel.unprivileged_userns_clone=1"),
        (
            "bwrap: Creating new namespace failed, likely because the kernel does not support user namespaces.",
            "CONFIG_USER_NS",
        ),
    ],
)
def test_causes_come_with_remedies(said, remedy):
    told = str(explain(said))
    assert told.startswith("no sandbox here: ")
    assert remedy in told
    assert said[-80:] in told


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("bwrap: something new", "did not start: bwrap: something new"),
        ("bwrap: Can't find source path /x: Permission denied", "did not start: bwrap: Can't find"),
        ("landlock: [Errno 1] prctl: Operation not permitted", "did not start: landlock: "),
        ("", "said nothing"),
    ],
)
def test_what_is_not_known_is_told_as_it_is(said, told):
    assert told in str(explain(said))


@pytest.mark.parametrize(
    ("name", "like", "remedy"),
    [
        ("rhel", "fedora", "user.max_user_namespaces=15000"),
        ("rocky", "rhel centos fedora", "user.max_user_namespaces=15000"),
        ("linuxmint", "ubuntu debian", "kernel.unprivileged_userns_clone=1"),
        ("unheard of", "", "user.max_user_namespaces=15000"),
    ],
)
def test_the_remedy_is_the_distributions(monkeypatch, name, like, remedy):
    distribution(monkeypatch, name, like)
    assert remedy in str(explain(NOT_ALLOWED))


@pytest.mark.parametrize("said", [NOT_ALLOWED, "bwrap: Failed to make / slave: Permission denied"])
def test_a_container_is_told_by_its_mark(tmp_path, monkeypatch, said):
    mark = tmp_path / ".dockerenv"
    mark.touch()
    monkeypatch.setattr(refusal, "SIGNS_OF_CONTAINER", (mark,))
    assert "--security-opt seccomp=unconfined" in str(explain(said))


def test_a_machine_that_does_not_name_its_distribution_is_told_too(monkeypatch):
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: (_ for _ in ()).throw(OSError))
    assert "user.max_user_namespaces" in str(explain(NOT_ALLOWED))
    assert "dnf install bubblewrap" in str(refusal.not_installed())


@pytest.mark.parametrize(
    ("name", "like", "command"),
    [("ubuntu", "debian", "apt"), ("rocky", "rhel", "dnf"), ("manjaro", "arch", "pacman -S")],
)
def test_without_bubblewrap_it_refuses_and_says_what_to_install(tmp_path, monkeypatch, name, like, command):
    distribution(monkeypatch, name, like)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(OurFault, match=f"it: {command} "), Session(tmp_path, limits=LIMITS):
        pass


@pytest.mark.parametrize(("version", "mentioned"), [(0, False), (5, False), (6, True), (7, True)])
def test_landlock_is_mentioned_where_it_can_stand_in(monkeypatch, version, mentioned):
    monkeypatch.setattr(landlocked, "abi", lambda: version)
    assert ("--isolation landlock" in str(explain(NOT_ALLOWED))) == mentioned


WITHOUT_NAMESPACES = (
    'echo 1 > /proc/sys/user/max_user_namespaces;exec unshare --user --map-user=1234 --map-group=1234 -- "$@"'
)
GRADES = """
import sys
import numpy as np
from pathlib import Path
from earmark.submissions.limits import Limits
from earmark.submissions.session import Session
folder = Path(sys.argv[1], "submission")
folder.mkdir()
(folder / "predict.py").write_text("import numpy as np\\ndef predict(): print('ran'); return np.zeros(1)")
with Session(folder, limits=Limits(), isolation=sys.argv[2]) as session:
    print(session.predict([{}], [np.zeros(1, np.float32)])[0].prediction)
"""


def grade_without_namespaces(isolation):
    """A submission graded by an ordinary user in a namespace that allows no further one."""
    inside = [sys.executable, "-c", GRADES, "{home}", isolation]
    try_first = ["unshare", "--user", "--map-root-user", "sh", "-ec", WITHOUT_NAMESPACES, "sh"]
    if run_as_ordinary_user([*try_first, "true"]).returncode:
        pytest.skip("needs user namespaces, of which it then takes the last away")
    return run_as_ordinary_user([*try_first, *inside])


@pytest.mark.system("bubblewrap")
def test_a_machine_without_user_namespaces_runs_nothing():
    done = grade_without_namespaces("bubblewrap")
    assert done.returncode == 1, done.stdout
    assert "OurFault: no sandbox here: user namespaces are switched off" in done.stdout
    assert "user.max_user_namespaces=15000" in done.stdout
    assert "ran" not in done.stdout.splitlines()


@pytest.mark.skipif(landlocked.abi() < landlocked.ENOUGH, reason="needs landlock 6, of Linux 6.12")
def test_landlock_grades_there():
    done = grade_without_namespaces("landlock")
    assert (done.returncode, done.stdout.strip()) == (0, "[0.]")


def test_staff_name_what_keeps_submissions_apart():
    assert isolation_named("bubblewrap", unsealed=False) == "bubblewrap"
    assert isolation_named("landlock", unsealed=False) == "landlock"
    assert isolation_named("bubblewrap", unsealed=True) == "none"
    for wrong in ("none", "", "docker"):
        with pytest.raises(InstructorError, match="bubblewrap or landlock"):
            isolation_named(wrong, unsealed=False)
    with pytest.raises(InstructorError, match="--unsealed"):
        isolation_named("landlock", unsealed=True)
