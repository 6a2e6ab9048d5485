"""Room for requests in pinned host memory, from which a copy to the GPU need not be waited for.

A worker's file, like protocol.py: it stands alone, and the student's code shares its process.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

Room = Callable[[int], np.ndarray[Any, Any]]


def room(plain: Room) -> Room:
    """From a number of bytes to as many, uint8: pinned once the student's code uses CUDA through torch, else plain.

    Pinned memory is handed out again when a request's arrays are gone, by when answers made of them are back on
    the host, and so the copies that they waited for are done.
    """

    def new(n_bytes: int) -> np.ndarray[Any, Any]:
        torch = sys.modules.get("torch")
        try:  # asking for CUDA where the code has not would itself take the GPU's memory
            if n_bytes and torch is not None and torch.cuda.is_initialized():
                pinned: np.ndarray[Any, Any] = torch.empty(
                    n_bytes, dtype=torch.uint8, pin_memory=True
                ).numpy()
                return pinned
        except Exception:  # noqa: BLE001, S110 - as where too little can be pinned: plain memory does
            pass
        return plain(n_bytes)

    return new
