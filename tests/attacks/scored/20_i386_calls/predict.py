"""Row 20: make calls of the 32-bit ABI, whose numbers the filter's table does not have."""

import ctypes
import mmap
import os
import platform

import numpy as np

GETPID_BY_INT80 = bytes.fromhex("b8 14 00 00 00 cd 80 c3")  # mov eax, 20; int 0x80; ret
FOUND = []
if platform.machine() == "x86_64":
    child = os.fork()
    if child == 0:
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(GETPID_BY_INT80)
        got = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
        os._exit(0 if got > 0 else 1)
    _, status = os.waitpid(child, 0)
    FOUND += ["int 0x80"] if status == 0 else []
    FOUND += ["x32"] if ctypes.CDLL(None).syscall(0x40000000 | 39) > 0 else []


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
