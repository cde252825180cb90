"""Measures ringwire beside everything else there is: rows of load, rounds in which every server has its turn.

Leaves to others: what is measured (rows.py), whether a run counts (machine.py), tables (report.py).
Invariant: a ratio compares two servers in one round only, so that the machine's moods hit both alike.

usage: ./dev bench [--quick] [--rows NAME,…] [--rounds N] [--seconds S] [--patience S]
                   [--peer NAME=CMD …] [--json FILE]
"""
import argparse
import contextlib
import datetime
import json
import os
import resource
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import machine
import measure
import report
import rows

METRICS = ("server_us_per_message", "rate", "p50_us", "p99_us", "p999_us", "server_memory")
START_PATIENCE = 10.0
WARM_UP_SECONDS = 0.2
TRIES_OF_RUN = 2     # A disturbed run is repeated at once, so often altogether.
ROUNDS_FACTOR = 2    # Disturbed rounds are repeated, until there were so many times as many.
QUIET_FACTOR = 20    # Of --patience: how long a row waits for quiet altogether. Then it takes what it gets.


class Foreign(measure.Process):
    """A server of somebody else, which is given the place to listen at."""

    def __init__(self, command, prefix, row, unix_path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        where = {"{port}": str(self.port), "{unix}": unix_path, "{threads}": str(row.threads)}
        for mark, value in where.items():
            command = [word.replace(mark, value) for word in command]
        super().__init__([*prefix, *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        address = unix_path if row.kind == "unix" else ("127.0.0.1", self.port)
        family = socket.AF_UNIX if row.kind == "unix" else socket.AF_INET
        end = time.monotonic() + START_PATIENCE
        while True:
            with socket.socket(family) as probe:
                if probe.connect_ex(address) == 0:
                    return
            if self.process.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise RuntimeError(f"nobody listens: {shlex.join(command)}")
            time.sleep(0.02)


class Bench:
    """Where and how long to measure."""

    def __init__(self, settings, cpus):
        self.settings = settings
        self.cpus = cpus
        self.on_server_cpu = ["taskset", "-c", str(cpus[0])]
        self.on_load_cpu = ["taskset", "-c", str(cpus[1])]
        self.rate = None  # Of the open loop, once it is known.
        self.waiting_left = 0.0  # Seconds this row may still spend on waiting for quiet.

    def wait_for_quiet(self):
        """Until others let the CPUs go, or patience ends."""
        self.waiting_left -= machine.wait_for_quiet(self.cpus, min(self.settings.patience, self.waiting_left))

    def start(self, one, row, directory):
        """A fresh server for a row."""
        environment = ["env", "RINGWIRE_LOG=error", *(f"{name}={value}" for name, value in one.environment.items())]
        prefix = [*environment, *self.on_server_cpu]
        unix_path = os.path.join(directory, one.name)
        if not one.ours:
            return Foreign(one.command, prefix, row, unix_path)
        arguments = [one.threads, str(row.threads)]
        if row.kind == "unix":
            arguments += ["--unix", unix_path]
        return measure.Server(one.command[0], *arguments, prefix=prefix)

    def load(self, row, server, unix_path, seconds):
        """Runs the load once; its figures and its own CPU seconds."""
        settings = dict(row.load, seconds=seconds, server_pid=server.pid)
        if row.half and self.rate:
            settings["rate"] = self.rate
        words = []
        for name, value in settings.items():
            words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
        words += ["--unix", unix_path] if row.kind == "unix" else ["--port", str(server.port)]
        words += ["--websocket"] if row.kind == "websocket" else []
        process = subprocess.Popen([*self.on_load_cpu, measure.program("load"), "--json", *words], text=True,
                                   stdout=subprocess.PIPE)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0 or not output:
            sys.exit(f"{row.name}: the load is not content: {shlex.join(words)}: {output}")
        return json.loads(output), usage.ru_utime + usage.ru_stime

    def run(self, row, one, server, directory):
        """One server's turn: its figures, and why they do not count ("" when they do), after how many tries."""
        for tries in range(1, (TRIES_OF_RUN if self.settings.patience > 0 else 1) + 1):
            self.wait_for_quiet()
            watch = machine.Watch(self.cpus, server.pid)
            figures, load_seconds = self.load(row, server, os.path.join(directory, one.name), self.settings.seconds)
            trouble = watch.disturbance(load_seconds, figures, row.threads)
            if not trouble:
                break
        return figures, trouble, tries

    def calibrate(self, row, contenders, servers, directory):
        """The rate of the open loop: half of plain epoll's best in a closed one, for every server the same."""
        if not row.half or self.rate:
            return
        index = next((index for index, one in enumerate(contenders) if one.name == "epoll"), 0)
        best = 0
        for _ in range(3):
            self.wait_for_quiet()
            figures, _ = self.load(row, servers[index], os.path.join(directory, contenders[index].name), 0.5)
            best = max(best, figures["rate"])
        self.rate = round(best / 2)

    def goes_on(self, good, bad):
        """Is another round due? Not when as many as are wanted were all disturbed: then more would be, too."""
        wanted = self.settings.rounds
        return good < wanted and good + bad < ROUNDS_FACTOR * wanted and not (good == 0 and bad == wanted)

    def measure_row(self, row, contenders):
        """All rounds of a row."""
        good, bad, repeated, troubles = [], [], 0, []
        self.waiting_left = QUIET_FACTOR * self.settings.patience
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="ringwire-bench-"))
            servers = [stack.enter_context(self.start(one, row, directory)) for one in contenders]
            self.calibrate(row, contenders, servers, directory)
            for one, server in zip(contenders, servers):
                self.load(row, server, os.path.join(directory, one.name), WARM_UP_SECONDS)
            while self.goes_on(len(good), len(bad)):
                turn = (len(good) + len(bad)) % len(contenders)
                order = [*range(turn, len(contenders)), *range(turn)]
                figures, disturbed = {}, False
                for index in order:
                    one = contenders[index]
                    figures[one.name], trouble, tries = self.run(row, one, servers[index], directory)
                    repeated += tries - 1
                    if trouble:
                        disturbed = True
                        troubles.append(f"{one.name}: {trouble}")
                (bad if disturbed else good).append(figures)
        quiet = len(good) >= min(3, self.settings.rounds)
        return {"name": row.name, "title": row.title, "load": row.load, "rate": self.rate if row.half else None,
                "rounds": len(good), "disturbed": len(bad), "repeated": repeated, "troubles": troubles[-20:],
                "quiet": quiet, "servers": summary(good if quiet else good + bad)}


def spread(values):
    """Median, least and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summary(rounds):
    """For each server its figures, and the ratios of its CPU time and its p99 to those of the others."""
    result = {}
    known = [one.name for one in rows.CONTENDERS]
    for name in sorted(rounds[0], key=lambda name: known.index(name) if name in known else len(known)):
        result[name] = {metric: spread([figures[name][metric] for figures in rounds]) for metric in METRICS}
        result[name]["late_p99_us"] = max(figures[name].get("late_p99_us", 0) for figures in rounds)
        for key, metric in (("cpu_ratio", "server_us_per_message"), ("p99_ratio", "p99_us")):
            result[name][key] = {
                base: spread([figures[name][metric] / max(figures[base][metric], 1e-9) for figures in rounds])
                for base in rounds[0] if base in rows.BASES or name == "ringwire"}
    return result


def peer_of(text):
    """NAME=CMD of the command line."""
    name, _, command = text.partition("=")
    words = shlex.split(command)
    if not name or not any("{port}" in word or "{unix}" in word for word in words):
        raise argparse.ArgumentTypeError("--peer takes NAME=CMD, with {port} or {unix} in CMD")
    return rows.Contender(name, words, ours=False)


def parse(words):
    """The command line."""
    names = [row.name for row in rows.ROWS]
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measures ringwire beside everything else.",
                                     epilog="rows: " + ", ".join(names))
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.3 s instead of 9 of 1 s")
    parser.add_argument("--rows", help="only these, separated by commas")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of one run")
    parser.add_argument("--peer", type=peer_of, action="append", default=[], metavar="NAME=CMD",
                        help="another server; {port} in CMD is where it shall listen, or {unix}, a path; "
                             "{threads} is how many threads the row wants")
    parser.add_argument("--json", metavar="FILE", help="writes the figures there, for perf/report.py")
    parser.add_argument("--patience", type=float, help="seconds to wait, before a run, for others to let the "
                        "CPUs go; 0: nor is a run repeated")
    settings = parser.parse_args(words)
    settings.rounds = settings.rounds or (3 if settings.quick else 9)
    settings.seconds = settings.seconds or (0.3 if settings.quick else 1.0)
    if settings.patience is None:
        settings.patience = 1.0 if settings.quick else 10.0
    wanted = settings.rows.split(",") if settings.rows else names
    unknown = [name for name in wanted if name not in names]
    if unknown:
        parser.error(f"no row is named {', '.join(unknown)}; rows: {', '.join(names)}")
    settings.rows = [row for row in rows.ROWS if row.name in wanted]
    return settings


def main():
    """The command."""
    settings = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that the servers are ended, too.
    for name in [name for name in os.environ if name.startswith("RINGWIRE_") and name != "RINGWIRE_BUILD"]:
        del os.environ[name]
    cpus = sorted(os.sched_getaffinity(0))[:2]
    if len(cpus) < 2:
        sys.exit("bench needs two CPUs: one for the server, one for the load")
    measure.allow_descriptors(min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    bench = Bench(settings, cpus)
    result = {"machine": machine.describe(), "date": datetime.date.today().isoformat(),
              "command": "./dev bench " + shlex.join(sys.argv[1:]), "rounds": settings.rounds,
              "seconds": settings.seconds, "rows": []}
    print(f"server on CPU {cpus[0]}, load on CPU {cpus[1]}; {settings.rounds} rounds of {settings.seconds:g} s; "
          "medians (min to max)\n", flush=True)
    for row in settings.rows:
        contenders = rows.contenders_of(row, settings.peer)
        if not contenders:
            print(f"{row.name}: nobody is built for it\n")
            continue
        result["rows"].append(bench.measure_row(row, contenders))
        print(report.text_of(result["rows"][-1]), flush=True)
        if settings.json:  # After each row: what was measured is not lost when the next is ended by hand.
            with open(settings.json, "w", encoding="utf-8") as file:
                json.dump(result, file, indent=1)
    print(report.verdict(result))


if __name__ == "__main__":
    main()
