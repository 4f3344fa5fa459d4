#!/usr/bin/env python3
"""A person at a terminal: runs a command in one, types, and waits for what it shows.

    terminal.py [-s ROWSxCOLUMNS] [-t SECONDS] STEP... -- COMMAND...

A step is one of
    TEXT            typed; \\r, \\x1b and the like mean what they mean in Python
    expect:REGEX    waits until that was shown (after what an earlier step has waited for)
    raw:            waits until the command has its terminal in raw mode
    noecho:         waits until what is typed is not echoed
    size:ROWSxCOLS  the window gets another size
    run:COMMAND     runs a command of the shell elsewhere, which must succeed
    end:CODE        waits until the command has ended with that exit code

After the last step the command must have ended. All that was shown goes to standard output.
"""
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time


class Terminal:
    def __init__(self, command, size, limit):
        self.limit = limit
        self.shown = b""
        self.seen = 0
        self.pid, self.master = os.forkpty()
        if self.pid == 0:
            os.execvp(command[0], command)
        self.resize(size)

    def resize(self, size):
        rows, columns = (int(n) for n in size.split("x"))
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, limit):
        if not select.select([self.master], [], [], limit)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the last one has closed it
            data = b""
        self.shown += data
        return bool(data)

    def expect(self, pattern):
        regex = re.compile(pattern.encode(), re.S)
        end = time.monotonic() + self.limit
        while True:
            found = regex.search(self.shown, self.seen)
            if found:
                self.seen = found.end()
                return
            left = end - time.monotonic()
            if left <= 0 or not self.read(left):
                self.fail(f"'{pattern}' was not shown, {len(self.shown) - self.seen} bytes since the last wait")

    def run(self, command):
        try:
            code = subprocess.run(
                command, shell=True, stdin=subprocess.DEVNULL, check=False, timeout=self.limit).returncode
        except subprocess.TimeoutExpired:
            code = "too late"
        if code:
            self.fail(f"'{command}' failed ({code})")

    def until_without(self, flag):
        end = time.monotonic() + self.limit
        while termios.tcgetattr(self.master)[3] & flag:
            if time.monotonic() > end:
                self.fail("the mode of its terminal does not change")
            self.read(0.02)

    def end(self, code):
        end = time.monotonic() + self.limit
        while self.read(max(0, end - time.monotonic())):
            pass
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                got = os.waitstatus_to_exitcode(status)
                if code is not None and got != code:
                    self.fail(f"it ended with {got} instead of {code}")
                return
            time.sleep(0.02)
        self.fail("it does not end")

    def fail(self, text):
        print(f"terminal.py: {text}; the end of what was shown: {self.shown[-1000:]!r}", file=sys.stderr)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        sys.exit(1)

    def play(self, step):
        kind, _, rest = step.partition(":")
        if kind == "expect":
            self.expect(rest)
        elif kind == "raw":
            self.until_without(termios.ICANON)
        elif kind == "noecho":
            self.until_without(termios.ECHO)
        elif kind == "size":
            self.resize(rest)
        elif kind == "run":
            self.run(rest)
        elif kind == "end":
            self.end(int(rest))
        else:
            os.write(self.master, step.encode().decode("unicode_escape").encode("latin-1"))


def main(words):
    size, limit = "24x80", 60
    while words[:1] in (["-s"], ["-t"]):
        if words[0] == "-s":
            size = words[1]
        else:
            limit = float(words[1])
        words = words[2:]
    at = words.index("--")
    terminal = Terminal(words[at + 1:], size, limit)
    for step in words[:at]:
        terminal.play(step)
    if terminal.pid:
        terminal.end(None)
    sys.stdout.buffer.write(terminal.shown)


main(sys.argv[1:])
