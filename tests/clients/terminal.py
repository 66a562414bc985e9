"""Runs a program at a terminal: what comes on standard input is typed, what the program shows goes to standard output.

A terminal is asked now and then where its cursor is; this one answers that, and is 100 characters wide and 30 lines high.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios

QUESTION = b"\x1b[6n"

child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))

sources = [terminal, 0]
unanswered = b""
while True:
    ready, _, _ = select.select(sources, [], [])
    if 0 in ready:
        typed = os.read(0, 4096)
        if typed:
            os.write(terminal, typed)
        else:
            sources.remove(0)
    if terminal in ready:
        try:
            shown = os.read(terminal, 65536)
        except OSError:  # All of its programs have ended.
            break
        if not shown:
            break
        os.write(1, shown)
        unanswered += shown
        while QUESTION in unanswered:
            unanswered = unanswered.split(QUESTION, 1)[1]
            os.write(terminal, b"\x1b[1;1R")
        unanswered = unanswered[-len(QUESTION) :]
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
