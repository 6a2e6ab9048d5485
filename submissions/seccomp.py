"""The system calls that a submission may not make, as data: a reason for each, built into classic BPF.

DENIED comes on top of namespaces: a refused call is one that reaches past a namespace, that uses memory no
watchdog can see, or that has a history of holes in the kernel and no use in a model. SHARED comes on top of
landlock where there are no namespaces: what reaches the user's other processes, and what changes or watches
files without opening them, which landlock lets pass.
"""

import errno
import platform
import struct
from dataclasses import dataclass

from earmark.submissions.errors import OurFault

# struct seccomp_data {int nr; u32 arch; u64 instruction_pointer; u64 args[6];}, see seccomp(2).
NR, ARCH, ARGS = 0, 4, 16
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
KILL, FAIL, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32 = 0x40000000
"""Call numbers from here on are of the x32 ABI on x86-64, which would go round the table."""

NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""
FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: they end in an empty network namespace, and CUDA opens them."""
AF_UNIX = 1
F_SETLEASE = 1024
NEEDED_BY_CUDA = ("memfd_create",)
"""Without it cuInit fails with error 304."""
SOCK_DGRAM = 2
PR_SET_DUMPABLE = 4
TERMINAL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX and FIOCLEX: what opening and asking about files takes."""
NEWEST = 462
"""mseal, of Linux 6.10; what came later has the same number everywhere, and nobody has looked at it here."""


@dataclass(frozen=True)
class Denied:
    """A call that fails with `error`: always, or if one argument's low half is as said."""

    name: str
    x86_64: int | None
    aarch64: int | None
    reason: str
    error: int = errno.EPERM
    argument: int = 0
    bits: int = 0
    """Denied if the argument has any of these bits."""
    equals: int = 0
    """Denied if the argument is this."""
    unless: tuple[int, ...] = ()
    """Denied if the argument is none of these."""


OTHERS = "reads or steers another process"
KEYS = "kernel keyrings are shared across namespaces of a user"
MOUNTS = "changes what files there are"
RINGS = "does other calls' work past this filter"
UNSEEN = "memory that no process maps, so that no watchdog sees it"
MACHINE = "is about the machine, not a process"
HANDLES = "opens files by number, past every mount"
NAMESPACE = "a new namespace gives capabilities, and with them more of the kernel"

DENIED = (
    Denied("ptrace", 101, 117, OTHERS),
    Denied("process_vm_readv", 310, 270, OTHERS),
    Denied("process_vm_writev", 311, 271, OTHERS),
    Denied("pidfd_getfd", 438, 438, OTHERS),
    Denied("kcmp", 312, 272, OTHERS),
    Denied("process_madvise", 440, 440, OTHERS),
    Denied("add_key", 248, 217, KEYS),
    Denied("request_key", 249, 218, KEYS),
    Denied("keyctl", 250, 219, KEYS),
    Denied("mount", 165, 40, MOUNTS),
    Denied("umount2", 166, 39, MOUNTS),
    Denied("pivot_root", 155, 41, MOUNTS),
    Denied("chroot", 161, 51, MOUNTS),
    Denied("open_tree", 428, 428, MOUNTS),
    Denied("move_mount", 429, 429, MOUNTS),
    Denied("fsopen", 430, 430, MOUNTS),
    Denied("fsconfig", 431, 431, MOUNTS),
    Denied("fsmount", 432, 432, MOUNTS),
    Denied("fspick", 433, 433, MOUNTS),
    Denied("mount_setattr", 442, 442, MOUNTS),
    Denied("unshare", 272, 97, NAMESPACE),
    Denied("setns", 308, 268, NAMESPACE),
    Denied("clone", 56, 220, NAMESPACE, bits=NAMESPACES),
    Denied(
        "clone3", 435, 435, "its flags lie out of a filter's sight; libc falls back to clone", errno.ENOSYS
    ),
    Denied("socket", 41, 198, "AF_VSOCK reaches the host past every namespace", unless=FAMILIES),
    Denied("io_uring_setup", 425, 425, RINGS, errno.ENOSYS),
    Denied("io_uring_enter", 426, 426, RINGS, errno.ENOSYS),
    Denied("io_uring_register", 427, 427, RINGS, errno.ENOSYS),
    Denied("bpf", 321, 280, "loads code into the kernel"),
    Denied("perf_event_open", 298, 241, "measures other processes"),
    Denied("userfaultfd", 323, 282, "stops the kernel mid-call, a tool of exploits", errno.ENOSYS),
    Denied("memfd_create", 319, 279, UNSEEN, errno.ENOSYS),
    Denied("memfd_secret", 447, 447, UNSEEN, errno.ENOSYS),
    Denied("shmget", 29, 194, UNSEEN, errno.ENOSYS),
    Denied("semget", 64, 190, UNSEEN, errno.ENOSYS),
    Denied("msgget", 68, 186, UNSEEN, errno.ENOSYS),
    Denied("name_to_handle_at", 303, 264, HANDLES),
    Denied("open_by_handle_at", 304, 265, HANDLES),
    Denied(
        "fcntl", 72, 25, "a lease on a shared file makes its next writer wait", argument=1, equals=F_SETLEASE
    ),
    Denied(
        "flock", 73, 32, "a lock on a shared file makes others wait; HDF5 goes on without one", errno.ENOSYS
    ),
    Denied("fanotify_init", 300, 262, "watches other processes' files"),
    Denied("quotactl", 179, 60, MACHINE),
    Denied("quotactl_fd", 443, 443, MACHINE),
    Denied("acct", 163, 89, MACHINE),
    Denied("syslog", 103, 116, MACHINE),
    Denied("kexec_load", 246, 104, MACHINE),
    Denied("kexec_file_load", 320, 294, MACHINE),
    Denied("init_module", 175, 105, MACHINE),
    Denied("finit_module", 313, 273, MACHINE),
    Denied("delete_module", 176, 106, MACHINE),
    Denied("reboot", 169, 142, MACHINE),
    Denied("swapon", 167, 224, MACHINE),
    Denied("swapoff", 168, 225, MACHINE),
    Denied("settimeofday", 164, 170, MACHINE),
    Denied("clock_settime", 227, 112, MACHINE),
    Denied("clock_adjtime", 305, 266, MACHINE),
    Denied("adjtimex", 159, 171, MACHINE),
    Denied("iopl", 172, None, MACHINE),
    Denied("ioperm", 173, None, MACHINE),
    Denied("modify_ldt", 154, None, "16-bit code segments, a tool of exploits"),
)

NETWORK = "without a network namespace there is the machine's network, and every program's socket"
IPC = "without an IPC namespace it is everybody's"
STEERS = "steers other processes of the user"
UNOPENED = "changes files of the user that it need not open"

SHARED = (
    Denied("socket", 41, 198, NETWORK),
    Denied("socketpair", 53, 199, NETWORK, unless=(AF_UNIX,)),
    Denied("socketpair", 53, 199, "one of a pair can send elsewhere", argument=1, bits=SOCK_DGRAM),
    Denied("shmat", 30, 196, IPC),
    Denied("shmctl", 31, 195, IPC),
    Denied("semop", 65, 193, IPC),
    Denied("semctl", 66, 191, IPC),
    Denied("semtimedop", 220, 192, IPC),
    Denied("msgsnd", 69, 189, IPC),
    Denied("msgrcv", 70, 188, IPC),
    Denied("msgctl", 71, 187, IPC),
    Denied("mq_open", 240, 180, IPC),
    Denied("mq_unlink", 241, 181, IPC),
    Denied("prlimit64", 302, 261, STEERS, unless=(0,)),
    Denied("setpriority", 141, 140, STEERS),
    Denied("ioprio_set", 251, 30, STEERS),
    Denied("sched_setaffinity", 203, 122, STEERS, unless=(0,)),
    Denied("sched_setparam", 142, 118, STEERS, unless=(0,)),
    Denied("sched_setscheduler", 144, 119, STEERS, unless=(0,)),
    Denied("sched_setattr", 314, 274, STEERS, unless=(0,)),
    Denied("chmod", 90, None, UNOPENED),
    Denied("fchmod", 91, 52, UNOPENED),
    Denied("fchmodat", 268, 53, UNOPENED),
    Denied("fchmodat2", 452, 452, UNOPENED),
    Denied("chown", 92, None, UNOPENED),
    Denied("fchown", 93, 55, UNOPENED),
    Denied("lchown", 94, None, UNOPENED),
    Denied("fchownat", 260, 54, UNOPENED),
    Denied("utime", 132, None, UNOPENED),
    Denied("utimes", 235, None, UNOPENED),
    Denied("futimesat", 261, None, UNOPENED),
    Denied("utimensat", 280, 88, UNOPENED),
    Denied("setxattr", 188, 5, UNOPENED),
    Denied("lsetxattr", 189, 6, UNOPENED),
    Denied("fsetxattr", 190, 7, UNOPENED),
    Denied("removexattr", 197, 14, UNOPENED),
    Denied("lremovexattr", 198, 15, UNOPENED),
    Denied("fremovexattr", 199, 16, UNOPENED),
    Denied("ioctl", 16, 29, UNOPENED, errno.ENOTTY, argument=1, unless=TERMINAL),
    Denied("inotify_init", 253, None, "tells names of files in folders that it can't list"),
    Denied("inotify_init1", 294, 26, "tells names of files in folders that it can't list"),
    Denied("prctl", 157, 167, "hides open files from the watch on the disk", equals=PR_SET_DUMPABLE),
)


def build(machine: str | None = None, *, shared: bool = False, gpu: bool = False) -> bytes:
    """The filter, as an array of struct sock_filter, for this machine or for `machine` (x86_64, aarch64).

    `shared`: for a process in the namespaces of everybody, where SHARED is denied too. `gpu`: what CUDA needs
    is allowed. Raises OurFault for
    another architecture.
    """
    machine = machine or platform.machine()
    if machine not in AUDIT_ARCH:
        raise OurFault(f"no sandbox here: the filter of system calls knows no {machine} processor.")
    code = [_op(LOAD, ARCH), _op(JUMP_EQUAL, AUDIT_ARCH[machine], then=1), _op(RETURN, KILL), _op(LOAD, NR)]
    if machine == "x86_64":
        code += [_op(JUMP_AT_LEAST, X32, otherwise=1), _op(RETURN, FAIL | errno.EPERM)]
    if shared:
        code += [_op(JUMP_AT_LEAST, NEWEST + 1, otherwise=1), _op(RETURN, FAIL | errno.ENOSYS)]
    for rule in DENIED + SHARED if shared else DENIED:
        number: int | None = getattr(rule, machine)
        if number is not None and not (gpu and rule.name in NEEDED_BY_CUDA):
            code += _rule(rule, number)
    return b"".join([*code, _op(RETURN, ALLOW)])


def _op(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """One struct sock_filter; `then` and `otherwise`: how many to skip when a jump's test holds or fails."""
    return struct.pack("<HBBI", code, then, otherwise, value)


def _rule(rule: Denied, number: int) -> list[bytes]:
    """Skip unless this is the call; else test the argument if need be, and fail or load the number again."""
    tests = []
    if rule.bits:
        tests = [_op(JUMP_BITS, rule.bits, otherwise=1)]
    elif rule.equals:
        tests = [_op(JUMP_EQUAL, rule.equals, otherwise=1)]
    elif rule.unless:
        last = len(rule.unless)
        tests = [_op(JUMP_EQUAL, value, then=last - i) for i, value in enumerate(rule.unless)]
    body = [_op(RETURN, FAIL | rule.error)]
    if tests:
        body = [_op(LOAD, ARGS + 8 * rule.argument), *tests, *body, _op(LOAD, NR)]
    return [_op(JUMP_EQUAL, number, otherwise=len(body)), *body]
