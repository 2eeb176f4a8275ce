"""Becomes another program that ends when its parent does, and that need not be root.

Run as a script, with nothing but the standard library: child.py PARENT SIGNAL UID GID PROGRAM ARGUMENT...
PARENT is the process that starts it. A UID of -1 keeps the user.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT = 1, 8, 28, 47
NO_SETUID_FIXUP = 1 << 2  # access(2) goes by the capabilities of a process, whoever its user is
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1


def main() -> None:
    parent, death_signal, uid, gid = (int(argument) for argument in sys.argv[1:5])
    libc = ctypes.CDLL(None, use_errno=True)
    if uid >= 0:
        become(libc, uid, gid)
    # After the change of user, which would take it back.
    libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # the parent died before it was asked for
        os.kill(os.getpid(), signal.SIGKILL)
    os.execvp(sys.argv[5], sys.argv[5:])


def become(libc: ctypes.CDLL, uid: int, gid: int) -> None:
    """Another user, who still reaches files below folders that are root's alone, such as /root.

    Postgres refuses to run as root, but its programs and its data may lie there.
    """
    libc.prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0)  # Postgres asks whether its programs may run
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    mask = 1 << CAP_DAC_OVERRIDE
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable
    if libc.capset(header, data) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)
    # Where that is not permitted, the folders must be open to the user as they are.


if __name__ == "__main__":
    main()
