"""The machine a bench runs on: what it is, and whether it was ours alone meanwhile.

Leaves to others: what follows from a disturbance. Invariant: nothing here is about one server more than another.
"""
import os
import pathlib
import platform
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
# A run is disturbed when, in shares of its time,
STOLEN_MAX = 0.01   # the hypervisor gave one of the two CPUs to somebody else,
OTHERS_MAX = 0.05   # other processes ran on the two CPUs together (clock ticks: 0.02 is noise),
WAITING_MAX = 0.03  # or the server of one thread, or the load, waited for its CPU.


def ticks(cpus):
    """Seconds these CPUs have been busy, and stolen, since boot."""
    busy = stolen = 0
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        words = line.split()
        if words[0] in {f"cpu{cpu}" for cpu in cpus}:
            user, nice, system, _, _, irq, softirq, steal = map(int, words[1:9])
            busy += user + nice + system + irq + softirq
            stolen += steal
    return busy / TICK, stolen / TICK


def run_time(pid):
    """CPU seconds of all threads of a process."""
    return sum(int((thread / "schedstat").read_text().split()[0])
               for thread in pathlib.Path(f"/proc/{pid}/task").iterdir()) * 1e-9


class Watch:
    """Looks at two CPUs while a server and a load run there."""

    def __init__(self, cpus, server_pid):
        self.cpus = cpus
        self.server_pid = server_pid
        self.start = time.monotonic()
        self.busy, self.stolen = ticks(cpus)
        self.server = run_time(server_pid)

    def disturbance(self, load_seconds, figures, threads):
        """Why the run does not count, or "". `load_seconds` is the CPU time of the load process, all of it."""
        wall = time.monotonic() - self.start
        busy, stolen = ticks(self.cpus)
        others = (busy - self.busy) - (run_time(self.server_pid) - self.server) - load_seconds
        waited = {"the load": figures["load_wait_seconds"]}
        if threads == 1:
            waited["the server"] = figures["server_wait_seconds"]
        if stolen - self.stolen > STOLEN_MAX * wall:
            return f"{(stolen - self.stolen) / wall:.0%} stolen"
        if others > OTHERS_MAX * wall:
            return f"others ran for {others / wall:.0%}"
        for who, seconds in waited.items():
            if seconds > WAITING_MAX * figures["seconds"]:
                return f"{who} waited for {seconds / figures['seconds']:.0%}"
        return ""


def wait_for_quiet(cpus, patience):
    """Until nobody uses these CPUs, or patience ends; the seconds it took."""
    start = time.monotonic()
    while time.monotonic() - start < patience:
        before = ticks(cpus)
        time.sleep(0.1)
        if sum(ticks(cpus)) - sum(before) <= 0.02:
            break
    return time.monotonic() - start


def describe():
    """What somebody wants to know who compares figures."""
    info = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), "unknown")
    compiler = subprocess.run(["g++", "--version"], text=True, stdout=subprocess.PIPE, check=False).stdout
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(),
            "compiler": compiler.splitlines()[0] if compiler else "unknown",
            "virtual": any(" hypervisor" in line for line in info if line.startswith("flags"))}
