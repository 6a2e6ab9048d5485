"""A GPU for a sealed worker: the files it needs, how much of its memory is used, whether it is well.

A sandbox sees one GPU, and CUDA in it counts from 0. What a hung kernel or a poisoned context leaves behind must
be one submission's failure: before each run, and after it, a process of our own must be able to compute.
"""

import ctypes
import functools
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from earmark.submissions.errors import OurFault

DEV = Path("/dev")
CONTROL = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
"""CUDA fails with error 304 if one of these is missing, and so it does without SYSTEM."""
SYSTEM = ("/sys/bus/pci", "/sys/dev/char", "/sys/devices", "/sys/module/nvidia", "/sys/module/nvidia_uvm")
RECOVERY_SECONDS = 30.0
CHECK_SECONDS = 60.0
WATCH_PERIOD = 0.2
LEFT_BYTES = 64 << 20
"""What the driver may keep in use after a run beyond what was used before it."""

# The driver's own interface, since torch takes seconds: allocate, fill, read back, compare.
CHECK = """
import ctypes, sys
cuda = ctypes.CDLL("libcuda.so.1")
def call(name, *arguments):
    status = getattr(cuda, name)(*arguments)
    if status:
        sys.exit(f"{name} fails with CUDA error {status}")
device, context, place = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
call("cuInit", 0)
call("cuDeviceGet", ctypes.byref(device), 0)
call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
call("cuCtxSetCurrent", context)
call("cuMemAlloc_v2", ctypes.byref(place), ctypes.c_size_t(1 << 20))
call("cuMemsetD32_v2", place, 0x600DCAFE, ctypes.c_size_t(1 << 18))
found = (ctypes.c_uint32 * (1 << 18))()
call("cuMemcpyDtoH_v2", found, place, ctypes.c_size_t(1 << 20))
if any(value != 0x600DCAFE for value in found):
    sys.exit("the GPU's memory does not hold what is written to it")
"""


@dataclass(frozen=True)
class Gpu:
    """The GPU behind /dev/nvidiaNUMBER."""

    number: int

    def nodes(self) -> list[str]:
        """The device files that CUDA needs for it. Raises OurFault where it is not there."""
        own = DEV / f"nvidia{self.number}"
        if not own.exists():
            raise OurFault(f"there is no GPU {self.number}: {own} is missing.")
        return [str(node) for node in (*(DEV / name for name in CONTROL), own) if node.exists()]

    @property
    def name(self) -> str:
        """What CUDA_VISIBLE_DEVICES calls it outside a sandbox."""
        nvml = _nvml(self.number)
        return (nvml and nvml.uuid()) or str(self.number)

    def used_bytes(self) -> int | None:
        """How much of its memory is in use, by whomever; None where the driver's library does not tell."""
        nvml = _nvml(self.number)
        return nvml.used_bytes() if nvml else None

    def trouble(self, used_before: int | None = None) -> str:
        """What is wrong with it, after time to recover; empty if it computes and its memory is free again."""
        deadline = time.monotonic() + RECOVERY_SECONDS
        while True:
            said = computes(self)
            used = self.used_bytes()
            if not said and used is not None and used_before is not None and used > used_before + LEFT_BYTES:
                said = f"{(used - used_before) >> 20} MiB of its memory are still taken"
            if not said or time.monotonic() > deadline:
                return said
            time.sleep(1.0)


def gpu_named(device: str) -> Gpu | None:
    """The GPU that "cuda" (the first) or "cuda:1" names; None for "cpu"."""
    found = re.fullmatch(r"cuda(?::(\d+))?", device)
    return Gpu(int(found[1] or 0)) if found else None


def gpus() -> list[Gpu]:
    """All NVIDIA GPUs of the machine that a sandbox can be given, by number."""
    found = (re.fullmatch(r"nvidia(\d+)", node.name) for node in DEV.glob("nvidia*"))
    return [Gpu(number) for number in sorted(int(node[1]) for node in found if node)]


def computes(gpu: Gpu) -> str:
    """Why a process of our own can't compute on it; empty if it can."""
    environment = os.environ | {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": gpu.name}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", CHECK],
            env=environment,
            capture_output=True,
            text=True,
            timeout=CHECK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it does not answer within {CHECK_SECONDS:.0f} s"
    return "" if done.returncode == 0 else done.stderr.strip()[-200:] or f"exit code {done.returncode}"


class GpuWatch(threading.Thread):
    """Calls `kill` once, and sets `over`, when more than `limit` bytes of the GPU are used than at the start.

    The driver tells processes of other PID namespaces apart for root alone, so a GPU must serve one run at a time.
    """

    def __init__(self, gpu: Gpu, limit: int | None, kill: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="GPU watch")
        self.gpu, self.limit, self.kill = gpu, limit, kill
        self.before = gpu.used_bytes()
        self.peak = 0
        self.over = False
        self._ended = threading.Event()

    def run(self) -> None:
        while self.before is not None and not self._ended.wait(WATCH_PERIOD):
            self.peak = max(self.peak, (self.gpu.used_bytes() or 0) - self.before)
            if self.limit is not None and self.peak > self.limit:
                self.over = True
                self.kill()
                return

    def stop(self) -> None:
        """End the watch; `peak` stays."""
        self._ended.set()
        self.join()


class _Nvml:
    """NVIDIA's management library, asked about the GPU with a minor number."""

    def __init__(self, number: int) -> None:
        self.library = ctypes.CDLL("libnvidia-ml.so.1")
        self.handle = self._handle(number)

    def _handle(self, number: int) -> ctypes.c_void_p | None:
        handle, minor, count = ctypes.c_void_p(), ctypes.c_uint(), ctypes.c_uint()
        if self.library.nvmlInit_v2() or self.library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
            return None
        for index in range(count.value):
            if self.library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)):
                continue
            told = self.library.nvmlDeviceGetMinorNumber(handle, ctypes.byref(minor))
            if not told and minor.value == number:
                return handle
        return None

    def used_bytes(self) -> int | None:
        memory = (ctypes.c_ulonglong * 3)()  # total, free, used
        if self.handle and not self.library.nvmlDeviceGetMemoryInfo(self.handle, ctypes.byref(memory)):
            return memory[2]
        return None

    def uuid(self) -> str | None:
        text = ctypes.create_string_buffer(96)
        if self.handle and not self.library.nvmlDeviceGetUUID(self.handle, text, 96):
            return text.value.decode()
        return None


@functools.cache
def _nvml(number: int) -> _Nvml | None:
    """None where the machine has no such library."""
    try:
        return _Nvml(number)
    except (OSError, AttributeError):
        return None
