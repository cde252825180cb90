"""What the evidence scripts share: starting servers and the load generator, asking the server, printing.

Leaves to others: what is measured and what must hold. A script that ends by an exception has failed.
"""
import os
import pathlib
import resource
import subprocess
import sys
import time

BUILD = pathlib.Path(os.environ.get("RINGWIRE_BUILD", "build/gcc")).resolve()
PATIENCE = 30.0


def program(name):
    """The path of a program under perf/ in the build directory."""
    path = BUILD / "perf" / name
    if not path.exists():
        sys.exit(f"{path} is not there: build it, or set RINGWIRE_BUILD to the build directory")
    return str(path)


def allow_descriptors(count):
    """Raises the soft limit on descriptors, for this process and those it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))


def memory(pid, what):
    """A line of /proc/PID/status in bytes: VmRSS, its peak VmHWM, RssAnon."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(what + ":"))


def reset_peak(pid):
    """From now on VmHWM is the peak from here on."""
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


class Process:
    """A process that ends when the `with` block does."""

    def __init__(self, words, **streams):
        self.process = subprocess.Popen(words, **streams)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Server(Process):
    """A server of ours, which says where it listens and answers questions."""

    def __init__(self, name, *arguments, prefix=(), path=None):
        super().__init__([*prefix, path or program(name), *arguments], text=True, bufsize=1,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line.startswith("listening "):
            self.process.wait()
            raise RuntimeError(f"{name} did not start: {line}{self.process.stdout.read()}")
        where = line.rstrip().rsplit(":", 1)[1]
        self.port = int(where) if where.isdigit() else None  # Else it is a unix path.

    def ask(self, question):
        """One question, one line of answer."""
        self.process.stdin.write(question + "\n")
        return self.process.stdout.readline().strip()

    def wait_for(self, question, answer):
        """Asks until the answer is this one; answers the last answer after the deadline."""
        end = time.monotonic() + PATIENCE
        while True:
            got = self.ask(question)
            if got == answer or time.monotonic() > end:
                return got
            time.sleep(0.01)

    def stop(self):
        """Stops the engine and answers the exit code."""
        self.ask("stop")
        return self.process.wait(PATIENCE)


def load(port, *, prefix=(), **settings):
    """Runs the load generator; answers its figures, with `valid` saying whether it was content."""
    words = []
    for name, value in settings.items():
        words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    done = subprocess.run([*prefix, program("load"), "--port", str(port), *words], text=True,
                          stdout=subprocess.PIPE, check=False)
    figures = {name: float(value) for name, value in (pair.split("=") for pair in done.stdout.split())}
    figures["valid"] = done.returncode == 0
    return figures


class Verdict:
    """Collects what must hold, prints each line, and gives the exit code."""

    def __init__(self):
        self.failed = 0

    def check(self, holds, text):
        """One fact."""
        print(f"{'ok  ' if holds else 'FAIL'}  {text}", flush=True)
        self.failed += 0 if holds else 1

    def exit(self):
        """Ends the script."""
        print("the point holds" if self.failed == 0 else f"{self.failed} checks failed")
        sys.exit(1 if self.failed else 0)
