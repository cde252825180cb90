"""Runs the suites Meson knows, adds up their counts, and prints "N passed, N failed[, N skipped]" as the last line.

Called by `dev test`. A suite is what a meson.build registers with test(): its command, environment, timeout and
is_parallel are obeyed. Its own last line is "N passed, N failed, N skipped"; one that crashes, hangs or prints no
counts is one failure more. Output is shown only where something failed; skips are listed by their reasons.

usage: run_suites.py BUILD [FILTER]
"""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

COUNTS = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
# A sanitizer slows code down by about this much; timeouts in meson.build are meant for a plain build.
PATIENCE = {"": 2, "address": 5, "undefined": 3, "thread": 12}
# No suite takes this long with any of them: what hangs must not eat the time of all others.
LONGEST = 900
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "abort_on_error=1:halt_on_error=1:second_deadlock_stack=1",
}


@dataclasses.dataclass
class Result:
    suite: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    output: str = ""
    trouble: str = ""
    matched: bool = True


def introspect(build, what):
    return json.loads(subprocess.check_output(["meson", "introspect", f"--{what}", str(build)]))


def is_catch2(test, build):
    """Our Catch2 executables are called bare; scripts are run by an interpreter or get arguments."""
    return len(test["cmd"]) == 1 and str(build) in test["cmd"][0]


def words(test):
    return set(re.split(r"\W+|_", test["name"]))


def select(tests, wanted, build):
    """Answers the tests to run and the Catch2 pattern to give each: a suite's name beats a test's name."""
    if not wanted:
        return tests, None
    suites = [test for test in tests if test["name"] == wanted or wanted in words(test)]
    if suites:
        return suites, None
    pattern = wanted if any(mark in wanted for mark in "*[~") else "*" + wanted.replace(",", "\\,") + "*"
    return [test for test in tests if is_catch2(test, build)], pattern


def ninja(build, *targets):
    """Builds quietly; what ninja said is shown when it failed."""
    done = subprocess.run(["ninja", "-C", str(build), *targets], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(done.stdout.decode(errors="replace") + "run_suites: the build failed\n0 passed, 1 failed")


def build_only(tests, build):
    """Brings what these tests need up to date: the whole tree may hold far more."""
    targets = {target["id"]: target["filename"] for target in introspect(build, "targets")}
    files = {os.path.relpath(name, build) for test in tests for id in test["depends"] for name in targets.get(id, [])}
    files |= {os.path.relpath(test["cmd"][0], build) for test in tests if is_catch2(test, build)}
    if files:
        ninja(build, *sorted(files))


def wrapper(sanitize):
    """gcc 12's TSan cannot start where the kernel spreads mappings over more than 28 bits."""
    bits = pathlib.Path("/proc/sys/vm/mmap_rnd_bits")
    spread = int(bits.read_text()) if "thread" in sanitize and os.access(bits, os.R_OK) else 0
    return ["setarch", "-R"] if spread > 28 else []


def run(test, pattern, patience):
    command = test["cmd"] + ([pattern] if pattern else [])
    environment = {**SANITIZER_OPTIONS, **os.environ, **test["env"]}
    result = Result(test["name"])
    timeout = min((test["timeout"] or 600) * patience, LONGEST)
    begin = time.monotonic()
    process = subprocess.Popen(command, env=environment, cwd=test["workdir"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        output = process.communicate(timeout=timeout)[0]
    except subprocess.TimeoutExpired:
        result.trouble = f"no end after {timeout:.0f} s"
        os.killpg(process.pid, signal.SIGKILL)
        output = process.communicate()[0]
    result.seconds = time.monotonic() - begin
    result.output = output.decode(errors="replace")
    judge(result, process.returncode, pattern)
    return result


def judge(result, code, pattern):
    """Reads the counts out of what the suite printed."""
    lines = result.output.rstrip().splitlines()
    found = COUNTS.match(lines[-1].strip()) if lines else None
    if found:
        result.passed, result.failed, result.skipped = (int(number or 0) for number in found.groups())
    if pattern and "No test cases matched" in result.output:
        result.matched, result.failed = False, 0
        return
    if not result.trouble and code < 0:
        result.trouble = f"killed by {signal.Signals(-code).name}"
    elif not result.trouble and not found:
        result.trouble = f"no counts in its last line, exit code {code}"
    elif not result.trouble and code != 0 and result.failed == 0:
        result.trouble = f"exit code {code} without a failed test"
    if result.trouble:
        result.failed += 1


def report(result):
    counts = f"{result.passed} passed"
    counts += f", {result.failed} failed" if result.failed else ""
    counts += f", {result.skipped} skipped" if result.skipped else ""
    verdict = "FAILED" if result.failed else "ok"
    if result.failed:
        print(f"---- {result.suite}: output " + "-" * 80)
        print(result.output.rstrip())
        print("-" * 100)
    print(f"{verdict:7} {result.suite:22} {counts:44} {result.seconds:7.1f} s"
          + (f"  {result.trouble}" if result.trouble else ""))
    if not result.failed:
        for line in result.output.splitlines():
            if line.startswith("SKIPPED"):
                print(f"        {line}")
    sys.stdout.flush()


def run_all(tests, pattern, patience):
    """The parallel ones side by side, then each of the others alone.

    Most suites wait most of the time, so there are twice as many at once as processors. What may take longest comes
    first, or it would be waited for alone in the end.
    """
    together = sorted((test for test in tests if test["is_parallel"]), key=lambda test: -(test["timeout"] or 600))
    alone = [test for test in tests if not test["is_parallel"]]
    results = []
    with concurrent.futures.ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        waiting = [pool.submit(run, test, pattern, patience) for test in together]
        for done in concurrent.futures.as_completed(waiting):
            results.append(done.result())
            if results[-1].matched:
                report(results[-1])
    for test in alone:
        results.append(run(test, pattern, patience))
        if results[-1].matched:
            report(results[-1])
    return [result for result in results if result.matched]


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    if wanted:  # The list of tests itself may be out of date.
        ninja(build, "build.ninja")
    tests = introspect(build, "tests")
    sanitize = next(option["value"] for option in introspect(build, "buildoptions") if option["name"] == "b_sanitize")
    patience = max(PATIENCE.get(name, 2) for name in ("" if sanitize == "none" else sanitize).split(","))

    chosen, pattern = select(tests, wanted, build)
    if wanted:
        build_only(chosen, build)
    for test in chosen:
        test["cmd"] = wrapper(sanitize) + test["cmd"]
    results = run_all(chosen, pattern, patience)
    if wanted and not results:
        print(f"no suite and no test is named like '{wanted}'; suites: {', '.join(test['name'] for test in tests)}")

    passed, failed, skipped = (sum(getattr(result, name) for result in results)
                               for name in ("passed", "failed", "skipped"))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(0 if failed == 0 and passed > 0 else 1)


if __name__ == "__main__":
    main()
