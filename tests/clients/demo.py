"""The websocket demo as a child process, and raw HTTP to talk to it.

Leaves to others: what must hold. Invariant: the child is stopped when its `with` block ends, and nothing waits
longer than PATIENCE.
"""
import os
import re
import signal
import socket
import subprocess
import threading
import time

# A sanitizer slows everything; this only costs time where something fails.
PATIENCE = 20.0 if os.environ.get("RINGWIRE_SANITIZE", "none") == "none" else 60.0


class Demo:
    """The running demo. `lines` grows as it prints. `prefix` is a command that starts it."""

    def __init__(self, program, *arguments, host="127.0.0.1", prefix=()):
        self.host = host
        self.lines = []
        self._changed = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen([*prefix, program, "--host", host, "--port", "0", *arguments], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self._read, daemon=True).start()
        line = self.wait_for_line("websocket echo at ")
        self.port = int(re.search(r":(\d+)/", line).group(1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for_line(self, part, after=0):
        """The first line at or after index `after` that has `part` in it."""
        def find():
            return next((line for line in self.lines[after:] if part in line), None)
        with self._changed:
            self._changed.wait_for(lambda: find() is not None or self._ended, PATIENCE)
            line = find()
            if line is None:
                raise AssertionError(f"the demo did not print '{part}': {self.lines}")
            return line

    def wait_for_count(self, count):
        """Waits until a new count line says so; answers how many lines it took."""
        deadline, seen = time.monotonic() + PATIENCE, len(self.lines)
        while time.monotonic() < deadline:
            line = self.wait_for_line("[connected-count=", seen)
            seen = self.lines.index(line, seen) + 1
            if line == f"[connected-count={count}]":
                return
        raise AssertionError(f"the count did not become {count}: {self.lines[-5:]}")

    @property
    def url(self):
        return f"http://{self.host}:{self.port}/"

    @property
    def ws_url(self):
        return f"ws://{self.host}:{self.port}/echo"

    def interrupt(self, number=signal.SIGINT):
        """Sends a signal; answers exit code and seconds until the end."""
        begin = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        return code, time.monotonic() - begin

    def connect(self):
        connection = socket.create_connection((self.host, self.port), PATIENCE)
        connection.settimeout(PATIENCE)
        return connection

    def ask(self, request):
        """Sends bytes on a connection of their own; answers all that comes until the server closes."""
        with self.connect() as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return receive_all(connection)


def receive_all(connection):
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def split(response):
    """Status, headers (names in lower case) and the rest of an HTTP response."""
    head, _, body = response.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return int(first.split()[1]), headers, body
