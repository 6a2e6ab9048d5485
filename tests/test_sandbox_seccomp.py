"""The filter of system calls: what it returns for each call, by an interpreter of classic BPF."""

import errno
import re
import struct
from pathlib import Path

import pytest

from earmark.submissions import seccomp
from earmark.submissions.errors import OurFault

ALLOWED = {"read": (0, 63), "mmap": (9, 222), "openat": (257, 56), "execve": (59, 221), "futex": (202, 98)}


def run_filter(code, number, args=(), *, machine="x86_64", arch=None):
    """What the filter returns for a call: an interpreter of classic BPF, after seccomp(2)."""
    arch = seccomp.AUDIT_ARCH[machine] if arch is None else arch
    packed = struct.pack("<iIQ6Q", number, arch, 0, *args, *[0] * (6 - len(args)))
    loaded, at = 0, 0
    while True:
        op, then, otherwise, value = struct.unpack_from("<HBBI", code, 8 * at)
        at += 1
        if op == 0x06:
            return value
        if op == 0x20:
            (loaded,) = struct.unpack_from("<I", packed, value)
            continue
        holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[op]
        at += then if holds else otherwise


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("shared", [False, True])
def test_the_filter_denies_what_the_table_lists_and_nothing_else(machine, shared):
    code = seccomp.build(machine, shared=shared)
    rules = seccomp.DENIED + seccomp.SHARED if shared else seccomp.DENIED
    conditional = {rule.name for rule in rules if rule.bits or rule.equals or rule.unless}
    denied = {getattr(rule, machine): rule for rule in rules}
    for number in range(600):
        rule = denied.get(number)
        expected = seccomp.ALLOW if rule is None else seccomp.FAIL | rule.error
        if shared and number > seccomp.NEWEST:
            expected = seccomp.FAIL | errno.ENOSYS
        if rule is None or rule.name not in conditional:
            assert run_filter(code, number, machine=machine) == expected, number
    for numbers in ALLOWED.values():
        assert run_filter(code, numbers[machine == "aarch64"], machine=machine) == seccomp.ALLOW


CONDITIONS = [
    ("clone", (0x003D0F00,), True),  # a thread
    ("clone", (0x11,), True),  # a process
    ("clone", (0x10000000 | 0x11,), False),  # with a user namespace
    ("clone", (0x40000000,), False),  # with a network namespace
    ("socket", (1,), True),
    ("socket", (2,), True),
    ("socket", (10,), True),
    ("socket", (16,), True),
    ("socket", (40,), False),  # AF_VSOCK
    ("socket", (38,), False),  # AF_ALG
    ("socket", (17,), False),  # AF_PACKET
    ("fcntl", (3, 3), True),
    ("fcntl", (3, 1024), False),
    ("fcntl", (1024, 1), True),  # descriptor 1024
]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(("name", "args", "allowed"), CONDITIONS)
def test_some_calls_are_denied_by_their_arguments(machine, name, args, allowed):
    rule = next(rule for rule in seccomp.DENIED if rule.name == name)
    returned = run_filter(seccomp.build(machine), getattr(rule, machine), args, machine=machine)
    assert (returned == seccomp.ALLOW) == allowed


SHARED_CONDITIONS = [
    ("socket", (1, 1), False),
    ("socket", (2, 1), False),
    ("socketpair", (1, 1), True),
    ("socketpair", (1, 0x80801), True),  # stream, close on exec, not blocking
    ("socketpair", (1, 2), False),  # datagrams
    ("socketpair", (1, 3), False),  # raw, which is datagrams too
    ("socketpair", (30, 1), False),  # AF_TIPC
    ("prlimit64", (0, 7), True),
    ("prlimit64", (4321, 7), False),
    ("sched_setaffinity", (0,), True),
    ("sched_setaffinity", (4321,), False),
    ("ioctl", (3, 0x5401), True),
    ("ioctl", (3, 0x40086602), False),  # FS_IOC_SETFLAGS
    ("ioctl", (3, 0x5412), False),  # TIOCSTI
    ("prctl", (4, 0), False),  # PR_SET_DUMPABLE
    ("prctl", (15, 0), True),  # PR_SET_NAME
]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(("name", "args", "allowed"), SHARED_CONDITIONS)
def test_more_is_denied_in_everybodys_namespaces(machine, name, args, allowed):
    rule = next(rule for rule in seccomp.SHARED if rule.name == name)
    code = seccomp.build(machine, shared=True)
    assert (run_filter(code, getattr(rule, machine), args, machine=machine) == seccomp.ALLOW) == allowed


def test_other_abis_do_not_go_round_the_table():
    code = seccomp.build("x86_64")
    assert run_filter(code, 1, arch=0x40000003) == seccomp.KILL  # i386
    assert run_filter(code, 0x40000000 | 101) == seccomp.FAIL | errno.EPERM  # x32's ptrace
    with pytest.raises(OurFault, match="riscv64"):
        seccomp.build("riscv64")


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_call_numbers_are_the_kernels(machine, header):
    if not Path(header).exists():
        pytest.skip("needs the system package linux-libc-dev")
    text = Path(header).read_text()
    numbers = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    rules = [rule for rule in seccomp.DENIED + seccomp.SHARED if getattr(rule, machine) is not None]
    known = {rule.name: getattr(rule, machine) for rule in rules}
    for name, number in known.items():  # those headers may be older than a call
        assert numbers.get(name) == number or number > max(numbers.values()), name
