#!/usr/bin/env python3
"""`weft bench`, run as a user runs it: bench_test.py WEFT-BENCH WEFT|- [unittest's own arguments]. No time is asserted."""

import csv
import html.parser
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

BENCH = os.path.abspath(sys.argv.pop(1))
WEFT = sys.argv.pop(1)
WATCHDOG_SECONDS = 250
VOID = {"meta", "br", "img", "link", "hr", "input"}


class WellFormed(html.parser.HTMLParser):
    """Every element that is opened is closed, in order; collects what is linked, and the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.links, self.text, self.ids = [], [], [], "", []
        self.feed(text)
        self.close()
        self.wrong += self.open

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("href", "src"):
                self.links.append(value)
            if name == "id":
                self.ids.append(value)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text += data


class Bench(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "out"

    def bench(self, *arguments, program=(BENCH,)):
        return subprocess.run([*program, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True,
                              check=False, stdin=subprocess.DEVNULL, timeout=WATCHDOG_SECONDS)

    def measures(self, *arguments):
        ran = self.bench("--quick", "--out", self.out, *arguments)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return ran

    def refuses(self, ran, code, *words):
        self.assertEqual(ran.returncode, code, ran.stderr)
        self.assertRegex(ran.stderr, r"\Aweft[^\n]*: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, ran.stderr)


class Report(Bench):
    def test_writes_files_that_agree(self):
        self.measures("--filter", r"^limit\.bounce$|^task\.empty|^payload\.[a-z_]+\.(64B|1MiB)|^break_even|^cpu_time")
        report = json.loads((self.out / "report.json").read_text())
        self.assertEqual(report["format"], "weft bench 1")
        figures = {figure["name"]: figure for figure in report["figures"]}
        for name in ("limit.bounce", "task.empty.round_trip", "task.empty.pipelined", "payload.buffer.1MiB"):
            self.assertGreater(figures[name]["p50"], 0)
            self.assertEqual(len(figures[name]["medians"]), figures[name]["runs"])
        for figure in figures.values():
            for number in ("p50", "p99", "p999", "spread"):
                self.assertTrue(math.isfinite(figure.get(number, 0)))
            curve = figure.get("curve", [])
            self.assertEqual(curve, sorted(curve))
        targets = {(target["name"], target["met"], target["verdict"].endswith(": ok")) for target in report["targets"]}
        self.assertTrue({"task.empty.round_trip", "task.empty.pipelined"} <= {name for name, _, _ in targets})
        self.assertTrue(all(met == ok for _, met, ok in targets))
        for fact in ("processor", "kernel", "governor", "mitigations", "virtualised"):
            self.assertIn(fact, report["machine"])

        with open(self.out / "report.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([row["name"] for row in rows], [figure["name"] for figure in report["figures"]])
        for row in rows:
            self.assertEqual(float(row["p50"]), figures[row["name"]]["p50"])

        core = json.loads((self.out / "core.json").read_text())
        self.assertEqual([figure["name"] for figure in core],
                         [figure["name"] for figure in report["figures"] if "chart" not in figure])
        for figure in core:
            self.assertTrue({"name", "unit", "p50", "runs"} <= figure.keys())
        self.assertTrue({"p99", "p999"} <= next(f for f in core if f["name"] == "limit.bounce").keys())

        text = (self.out / "report.html").read_text()
        page = WellFormed(text)
        self.assertEqual(page.wrong, [])
        self.assertEqual(len(page.ids), len(set(page.ids)))
        self.assertEqual([link for link in page.links if link.lstrip("#") not in page.ids], [], "nothing from outside")
        self.assertNotRegex(text, r"https?://|@import|url\(|\bnan\b|\binf\b")
        self.assertIn("prefers-color-scheme", text)
        self.assertIn("Break-even", page.text)
        self.assertTrue(all(name in page.text for name in figures))

    def test_holds_itself_against_an_earlier_run(self):
        self.measures("--filter", r"^limit\.bounce$")
        old = self.folder / "old.json"
        (self.out / "report.json").rename(old)
        ran = self.measures("--filter", r"^limit\.bounce$", "--compare", old)
        self.assertIn("1 figures in both", ran.stdout)
        (change,) = json.loads((self.out / "report.json").read_text())["changes"]
        self.assertEqual(change["name"], "limit.bounce")
        self.assertLessEqual(change["low"], change["ratio"])
        self.assertLessEqual(change["ratio"], change["high"])
        self.assertGreater(change["pairs"], 1)
        self.assertEqual(WellFormed((self.out / "report.html").read_text()).wrong, [])

    def test_asks_peers_that_are_there_and_names_the_others(self):
        ran = self.measures("--filter", r"^baseline\..*\.(round_trip|pipelined)$", "--repetitions", "1")
        report = json.loads((self.out / "report.json").read_text())
        figures = {figure["name"]: figure for figure in report["figures"]}
        for peer in ("pipe", "unix_socket", "tcp", "eventfd", "futex", "posix_mq", "message_queue", "std_async",
                     "boost_fiber", "asio_thread_pool", "python_process_pool"):
            for figure in ("round_trip", "pipelined"):
                self.assertGreater(figures[f"baseline.{peer}.{figure}"]["p50"], 0, peer)
        self.assertEqual(report["failed"], [])
        for absent in report["absent"]:
            self.assertRegex(absent, r"\(Debian: \S")
            self.assertIn(absent, ran.stdout)

    def test_tells_how_far_it_is_in_plain_lines(self):
        ran = self.measures("--filter", r"^idle\.weft\.")
        self.assertNotIn("\r", ran.stderr)
        self.assertNotIn("\x1b", ran.stdout + ran.stderr)


class Options(Bench):
    def test_lists_names_and_measures_nothing(self):
        ran = self.bench("--list")
        self.assertEqual(ran.returncode, 0)
        names = [line.split()[0] for line in ran.stdout.splitlines()]
        self.assertEqual(len(names), len(set(names)))
        for name in ("limit.bounce", "limit.eventfd_pair", "limit.posix_spawn", "ring.round_trip", "ring.one_way",
                     "task.empty.round_trip", "task.string.round_trip", "task.empty.pipelined",
                     "task.parked.round_trip", "buffer.64KiB.round_trip", "buffer.64MiB.round_trip",
                     "worker.start.exec", "worker.idle.pss", "limit.idle.pss", "pool.idle.ticks", "pool.idle.switches",
                     "task.thread.round_trip", "task.after_1ms.round_trip", "buffer.16MiB.touched", "map.1us.of_ideal",
                     "map.empty", "two_workers.1us.of_ideal", "queue.bytes_each", "queue.drain",
                     "channel.round_trip", "channel.stream", "channel.stream_to_task", "priority.high.latency", "fairness.trickle.latency", "shared.mutex.lock_unlock",
                     "shared.parcel.synchronized", "pool.idle_64.ticks", "overcommit.16_workers",
                     "baseline.unix_socket.round_trip", "baseline.pipe.round_trip",
                     "baseline.message_queue.round_trip", "baseline.asio_thread_pool.round_trip",
                     "baseline.asio_thread_pool.pipelined", "payload.copied.64MiB", "payload.buffer.64MiB"):
            self.assertIn(name, names)
        self.assertEqual(list(self.folder.iterdir()), [])
        some = self.bench("--list", "--filter", "^ring")
        self.assertEqual([line.split()[0] for line in some.stdout.splitlines()], ["ring.round_trip", "ring.one_way"])

    def test_refuses_what_it_does_not_understand(self):
        self.refuses(self.bench("--fast"), 2, "--fast")
        self.refuses(self.bench("--repetitions", "0"), 2, "0")
        self.refuses(self.bench("--filter", "("), 2, "--filter")
        self.refuses(self.bench("--filter", "no_such_figure"), 2, "no_such_figure")
        self.refuses(self.bench("--cpus", "0,9999"), 2, "9999")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_refuses_files_that_do_not_hold_before_it_measures(self):
        self.refuses(self.bench("--compare", "gone.json"), 1, "gone.json", "No such file")
        broken = self.folder / "broken.json"
        broken.write_text("{")
        self.refuses(self.bench("--compare", broken), 1, "broken.json")
        self.refuses(self.bench("--compare", self.folder), 1, "is no report.json")
        self.refuses(self.bench("--out", broken / "below"), 1, "below", "Not a directory")

    @unittest.skipIf(WEFT == "-", "the program weft was not built")
    def test_is_a_command_of_weft(self):
        ran = self.bench("bench", "--list", "--filter", "^ring", program=(os.path.abspath(WEFT),))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertTrue(re.match(r"ring\.round_trip", ran.stdout))
        self.refuses(self.bench("bench", "--fast", program=(os.path.abspath(WEFT),)), 2, "--fast")
        self.assertIn("bench", self.bench("--help", program=(os.path.abspath(WEFT),)).stdout)
        alone = self.folder / "weft"
        alone.write_bytes(pathlib.Path(WEFT).read_bytes())
        alone.chmod(0o755)
        self.refuses(self.bench("bench", program=(str(alone),)), 1, "weft-bench is not installed")


if __name__ == "__main__":
    unittest.main()
