"""The bench measures every server that is built, says when it was disturbed, and its report can be drawn.

Leaves to others: the figures, which no test judges. usage: bench_test.py BUILD
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
PERF = pathlib.Path(__file__).resolve().parents[2] / "perf"
sys.path.insert(0, str(PERF))
os.environ["RINGWIRE_BUILD"] = str(BUILD)

import bench
import machine
import report
import rows


class Bench(unittest.TestCase):
    """The whole of it, briefly."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        path = pathlib.Path(cls.directory.name)
        cls.docs = path
        words = ["--rows", "ping-pong,unix-64,ws-64,half-load", "--rounds", "1", "--seconds", "0.03",
                 "--patience", "0", "--peer", f"again={BUILD}/perf/epoll_echo --port {{port}}",
                 "--json", str(path / "figures.json")]
        cls.done = subprocess.run([sys.executable, "-B", str(PERF / "bench.py"), *words], text=True, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        cls.result = json.loads((path / "figures.json").read_text()) if cls.done.returncode == 0 else None

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def setUp(self):
        self.assertEqual(self.done.returncode, 0, self.done.stdout)

    def test_each_row_has_every_server_that_is_built(self):
        for row in self.result["rows"]:
            kind = next(one.kind for one in rows.ROWS if one.name == row["name"])
            built = {one.name for one in rows.CONTENDERS if one.built() and one.websocket == (kind == "websocket")}
            self.assertEqual(set(row["servers"]), built | ({"again"} if kind == "tcp" else set()))

    def test_figures_are_of_messages_that_came_back(self):
        for row in self.result["rows"]:
            for name, values in row["servers"].items():
                self.assertGreater(values["rate"]["median"], 0, (row["name"], name))
                self.assertGreater(values["server_us_per_message"]["median"], 0, (row["name"], name))
                self.assertLessEqual(values["p50_us"]["median"], values["p999_us"]["median"])

    def test_a_base_compared_with_itself_is_1(self):
        for row in self.result["rows"]:
            for base in report.bases_of(row):
                self.assertEqual(row["servers"][base]["cpu_ratio"][base]["median"], 1)

    def test_the_open_loop_has_one_rate_for_all(self):
        row = next(row for row in self.result["rows"] if row["name"] == "half-load")
        self.assertGreater(row["rate"], 0)
        self.assertIsNone(self.result["rows"][0]["rate"])

    def test_the_report_stands_between_its_markers_and_the_plot_is_xml(self):
        page = self.docs / "perf.md"
        page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
        words = [str(PERF / "report.py"), str(self.docs / "figures.json"), str(self.docs)]
        subprocess.run([sys.executable, "-B", *words], check=True, stdout=subprocess.DEVNULL)
        text = page.read_text()
        self.assertTrue(text.startswith("before\n") and text.endswith("after\n"))
        self.assertNotIn("old", text)
        for row in self.result["rows"]:
            self.assertIn(f"### {row['title']}", text)
        circles = xml.etree.ElementTree.parse(self.docs / "perf.svg").getroot().findall("{*}circle")
        self.assertGreater(len(circles), len(self.result["rows"]))


class Judgement(unittest.TestCase):
    """What is counted, and what is not."""

    def watch(self, waited, busy, threads=1):
        watch = machine.Watch([0, 1], os.getpid())
        watch.start -= 1  # As if it had begun a second ago, with so much of both CPUs busy.
        watch.busy -= busy
        return watch.disturbance(0, {"seconds": 1.0, "load_wait_seconds": waited, "server_wait_seconds": waited},
                                 threads)

    def test_others_on_the_cpus_disturb(self):
        self.assertRegex(self.watch(0, busy=0.5), "others ran for [45]")

    def test_waiting_for_a_cpu_disturbs(self):
        self.assertRegex(self.watch(0.1, busy=-1), "the load waited for 10%")

    def test_a_command_line_that_makes_no_sense_is_refused(self):
        for words in (["--rows", "nothing"], ["--peer", "x=without a place"]):
            done = subprocess.run([sys.executable, "-B", str(PERF / "bench.py"), *words], check=False,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 2)

    def test_ratios_are_taken_within_a_round(self):
        figures = {"rate": 1, "p50_us": 1, "p99_us": 1, "p999_us": 1, "server_memory": 1}
        rounds = [{"ringwire": {**figures, "server_us_per_message": 2.0 * slow},
                   "epoll": {**figures, "server_us_per_message": 1.0 * slow}} for slow in (1, 5, 30)]
        ratio = bench.summary(rounds)["ringwire"]["cpu_ratio"]["epoll"]
        self.assertEqual(ratio, {"median": 2, "min": 2, "max": 2})


if __name__ == "__main__":
    outcome = unittest.main(exit=False, verbosity=0).result
    failed = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
