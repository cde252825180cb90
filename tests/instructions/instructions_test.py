"""No workload takes more than 3 % more instructions than stored; and a comparison that is fed more fails.

Leaves to others: counting and comparing (instructions.py). usage: instructions_test.py PROGRAM | --skip REASON
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

import instructions

WORDS, sys.argv[1:] = sys.argv[1:], []
REASON = " ".join(WORDS[1:]) if WORDS[0] == "--skip" else instructions.why_not()


class Comparison(unittest.TestCase):
    """The verdict, on figures made up."""

    def test_a_figure_that_has_grown_by_more_than_3_percent_fails(self):
        self.assertEqual(instructions.failures({"echo": 1031.0}, {"echo": 1000.0}),
                         ["echo takes +3.1% instructions (1031.0, stored 1000.0)"])

    def test_one_that_has_grown_by_less_or_shrunk_does_not(self):
        for now in (1029.0, 1000.0, 500.0):
            self.assertEqual(instructions.failures({"echo": now}, {"echo": 1000.0}), [])

    def test_each_is_judged_for_itself(self):
        wrong = instructions.failures({"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 10.0, "b": 1.0, "c": 3.0})
        self.assertEqual(wrong, ["b takes +100.0% instructions (2.0, stored 1.0)"])

    def test_one_that_is_on_one_side_only_fails(self):
        self.assertEqual(instructions.failures({"new": 1.0}, {"old": 1.0}),
                         ["new is not stored", "old is stored, and not measured any more"])

    def test_what_is_stored_is_read_again(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "stored.txt"
            instructions.write("g++ 1", {"echo": 12.5, "timer": 3.0}, path)
            self.assertEqual(instructions.read(path), ("g++ 1", {"echo": 12.5, "timer": 3.0}))


class Counts(unittest.TestCase):
    """The real figures."""

    @classmethod
    def setUpClass(cls):
        if REASON:
            raise unittest.SkipTest(REASON)
        cls.made_with = instructions.ask(WORDS[0], "--made-with")
        cls.stored_with, cls.stored = instructions.read()
        if cls.made_with != cls.stored_with:
            raise unittest.SkipTest(f"made with {cls.made_with}, stored with {cls.stored_with}")
        cls.now = instructions.measure(WORDS[0])

    def test_no_workload_takes_more_than_stored(self):
        self.assertEqual(instructions.failures(self.now, self.stored), [],
                         "\n" + instructions.table(self.now, self.stored) +
                         "\nif it is worth it: ./dev instructions --store")

    def test_an_idle_connection_costs_nothing_in_a_lap(self):
        self.assertEqual(self.now["idle-lap-1000"], self.now["idle-lap-2000"])

    def test_two_runs_count_the_same(self):
        self.assertEqual(instructions.measure(WORDS[0], ["timer"])["timer"], self.now["timer"])

    def test_a_count_that_does_not_work_is_no_figure(self):
        done = subprocess.run([WORDS[0], "nothing", "1"], check=False, stderr=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    outcome = unittest.main(exit=False, verbosity=0).result
    # A class that is skipped, or fails, before its first test counts as one.
    failed = len(outcome.failures) + len(outcome.errors)
    for reason in sorted({reason for _, reason in outcome.skipped}):
        print(f"SKIPPED instruction counts: {reason}")
    skipped = len(outcome.skipped)
    print(f"{max(0, outcome.testsRun - failed)} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)
