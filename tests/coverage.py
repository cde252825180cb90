"""Adds up what the suites have run of the reactor, folder by folder, and fails below the thresholds.

Called by `dev coverage` after the suites of an instrumented build. gcovr reads the counters. Not counted: the branch
of an assertion that aborts, and the branches a compiler adds for exceptions thrown by what a line calls.

usage: coverage.py BUILD
"""

import collections
import json
import pathlib
import subprocess
import sys

FOLDERS = ("uring", "conn", "loop", "engine")
LINES_MIN, BRANCHES_MIN = 95.0, 85.0  # Per cent, over all four folders and in each.
ASSERTION = r".*RINGWIRE_(ASSERT|REQUIRE|CHECK)\b.*"


def summary(build):
    """gcovr's figures for each file of the folders."""
    command = ["gcovr", "--root", ".", "--object-directory", str(build), "--json-summary", "-", "--exclude-throw-branches",
               "--exclude-unreachable-branches", "--exclude-branches-by-pattern", ASSERTION,
               *(option for folder in FOLDERS for option in ("--filter", f"lib/{folder}/")), str(build / "lib"),
               str(build / "tests")]
    return json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL))["files"]


def share(covered, total):
    return 100.0 * covered / total if total else 100.0


def main():
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    files = summary(pathlib.Path(sys.argv[1]))
    if not files:
        sys.exit("coverage: no counters were found; did the suites run?")
    for file in files:
        row = [file["line_covered"], file["line_total"], file["branch_covered"], file["branch_total"]]
        for name in (pathlib.Path(file["filename"]).parts[1], "together"):
            sums[name] = [old + new for old, new in zip(sums[name], row)]
        if share(*row[:2]) < LINES_MIN or share(*row[2:]) < BRANCHES_MIN:
            print(f"  low: {file['filename']:32} lines {share(*row[:2]):5.1f} %  branches {share(*row[2:]):5.1f} %")

    failed = False
    for name in (*FOLDERS, "together"):
        lines, branches = share(*sums[name][:2]), share(*sums[name][2:])
        low = not sums[name][1] or lines < LINES_MIN or branches < BRANCHES_MIN
        failed |= low
        print(f"{name:10} lines {sums[name][0]:5}/{sums[name][1]:<5} {lines:5.1f} %   "
              f"branches {sums[name][2]:5}/{sums[name][3]:<5} {branches:5.1f} %{'   too low' if low else ''}")
    print(f"wanted: lines {LINES_MIN:.0f} %, branches {BRANCHES_MIN:.0f} %")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
