"""The first process of a sandbox whose worker is forked: it waits for the worker, and ends as the worker ended.

Started as `python holder.py READY TOLD`: two descriptors, to say that the sandbox stands, and to hear the worker's
number. Orphans become its children, as is every worker forked by importer.py; when it ends, the kernel ends the rest.
"""

import os
import signal
import sys


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which the kernel then keeps from the first process
    ready, told = int(sys.argv[1]), int(sys.argv[2])
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):  # so that whether a pipe is open is the worker's alone to say
        os.dup2(nothing, fd)
    os.close(nothing)
    os.write(ready, b"1")
    os.close(ready)
    worker = os.read(told, 16)
    os.close(told)
    if not worker:  # it could not be forked
        return 1
    while True:
        pid, status = os.wait()
        if pid == int(worker):
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code  # as bubblewrap tells of a signal


if __name__ == "__main__":
    os._exit(main())
