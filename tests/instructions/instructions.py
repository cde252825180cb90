"""Counts the loop's instructions for fixed workloads and compares them with those stored in the repository.

A count is that of callgrind, for 2N of a thing less that for N, divided by N: what start-up and ending cost cancels.
Leaves to others: what is done and counted (counted.cpp), when that is a failure of the suite (instructions_test.py).
Invariant: figures of another compiler, C library or CPU are not compared, because they differ without a reason.

usage: instructions.py PROGRAM [--store]
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

STORED = pathlib.Path(__file__).with_name("stored.txt")
GROWTH_MAX = 0.03
HEADER = """\
# Instructions of the loop for each of these, in user space; `./dev instructions --store` rewrites the file.
# What they are: tests/instructions/counted.cpp. More than 3 % more than here fails `./dev test`.
"""
COUNTED = ("count_open(*", "count_lap(*", "count_write(*")
# Everything a loop calls through the seam; no name is the beginning of another that it calls.
KERNEL = ("enter", "now", "wake_ring", "signal_event", "set_option", "get_option", "shutdown", "close", "accept",
          "local_name", "peer_name")
# Which copy of memcpy and its like is taken depends on the machine; without these all take the same.
ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM",
               "PATH": os.environ.get("PATH", "/usr/bin:/bin")}


def why_not():
    """Why nothing can be counted here, or ""."""
    return "" if shutil.which("valgrind") else "no valgrind here"


def ask(program, question):
    """What the program answers."""
    return subprocess.run([program, question], text=True, stdout=subprocess.PIPE, check=True).stdout.strip()


def run(program, workload, count):
    """Instructions of one run."""
    with tempfile.NamedTemporaryFile() as out:
        toggles = [f"--toggle-collect=ringwire::test::{name}" for name in COUNTED]
        toggles += [f"--toggle-collect=ringwire::test::ScriptKernel::{name}(*" for name in KERNEL]
        done = subprocess.run(["valgrind", "--tool=callgrind", "--collect-atstart=no", *toggles,
                               f"--callgrind-out-file={out.name}", program, workload, str(count)], text=True,
                              env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            sys.exit(f"{workload} {count} failed:\n{done.stdout}")
        return int(re.search(r"^(?:summary|totals): (\d+)$", pathlib.Path(out.name).read_text(), re.M).group(1))


def measure(program, only=None):
    """The figure of each workload, in the program's order."""
    listed = [line.split() for line in ask(program, "--list").splitlines()]
    counts = {name: int(count) for name, count in listed if only is None or name in only}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        runs = {(name, times): pool.submit(run, program, name, times * count)
                for name, count in counts.items() for times in (1, 2)}
        return {name: (runs[name, 2].result() - runs[name, 1].result()) / count for name, count in counts.items()}


def read(path=STORED):
    """With what the stored figures were made, and the figures."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return lines[0], {name: float(figure) for name, figure in (line.split() for line in lines[1:])}


def write(made_with, figures, path=STORED):
    """Stores them."""
    path.write_text(HEADER + made_with + "\n" + "".join(f"{name:20} {figure:10.1f}\n"
                                                        for name, figure in figures.items()))


def growth(now, stored):
    """How much each figure has grown, in parts; None where there is none to compare with."""
    return {name: now[name] / stored[name] - 1 if name in now and stored.get(name) else None
            for name in [*now, *(name for name in stored if name not in now)]}


def table(now, stored):
    """The comparison, to be read."""
    lines = [f"{'workload':20} {'now':>12} {'stored':>12} {'difference':>12}"]
    for name, grown in growth(now, stored).items():
        figures = [f"{values[name]:12.1f}" if name in values else f"{'-':>12}" for values in (now, stored)]
        lines.append(f"{name:20} {' '.join(figures)} {'-' if grown is None else format(grown, '+.1%'):>12}")
    return "\n".join(lines)


def failures(now, stored):
    """What is wrong, a line each: a figure that has grown too much, one that is missing on a side."""
    wrong = []
    for name, grown in growth(now, stored).items():
        if grown is None:
            wrong.append(f"{name} is " + ("not stored" if name in now else "stored, and not measured any more"))
        elif grown > GROWTH_MAX:
            wrong.append(f"{name} takes {grown:+.1%} instructions ({now[name]:.1f}, stored {stored[name]:.1f})")
    return wrong


def main():
    """The command."""
    program = sys.argv[1]
    made_with, now = ask(program, "--made-with"), measure(program)
    stored_with, stored = read() if STORED.exists() else (made_with, {})
    if made_with != stored_with:
        print(f"made with {made_with}; what is stored was made with {stored_with}: not comparable")
    print(table(now, stored))
    if "--store" in sys.argv[2:]:
        write(made_with, now)
        print(f"stored in {STORED.relative_to(pathlib.Path.cwd())}")
        return 0
    wrong = failures(now, stored) if made_with == stored_with else []
    for line in wrong:
        print(line)
    if any(grown is not None and grown < -GROWTH_MAX for grown in growth(now, stored).values()):
        print("some take fewer: ./dev instructions --store keeps it so")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
