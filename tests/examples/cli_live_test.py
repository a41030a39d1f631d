#!/usr/bin/env python3
"""The program `weft` while it runs, on a terminal and under Ctrl-C: cli_live_test.py WEFT [unittest's own arguments]."""

import json
import os
import pty
import re
import signal
import subprocess
import time
import unittest

import cli_input
from cli_program import WATCHDOG_SECONDS, Cli, read_to_end


class Terminal(Cli):
    def on_terminal(self, **environment):
        """What a terminal shows of stderr."""
        ours, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", **environment}
        with subprocess.Popen(self.command("thumbnails", self.photos, "--out", self.out), env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs) as program:
            os.close(theirs)
            shown = read_to_end(ours)
            self.assertEqual(program.wait(WATCHDOG_SECONDS), 1)
        os.close(ours)
        return shown.decode()

    def setUp(self):
        super().setUp()
        for i in range(5):
            cli_input.png(self.photos / f"{i}.png")
        (self.photos / "bad.png").write_text("no picture")

    def test_none_gets_plain_lines(self):
        ran = self.thumbnails(self.photos)
        self.assertNotRegex(ran.stderr, r"[\x00-\x09\x0b-\x1f]")
        counts = re.findall(r"(?m)^\[(\d)/6\] \S+ -> \S+, 64 x 48, [\d.]+ k?B, [\d.]+ s$", ran.stderr)
        self.assertEqual(len(set(counts)), 5)
        self.assertEqual(counts, sorted(counts))

    def test_gets_a_bar_that_is_gone_at_the_end(self):
        shown = self.on_terminal(LC_ALL="C")
        self.assertRegex(shown, r"\r\[[^\]]*\] \d/6 pictures")
        times = re.findall(r"(\d)/6 pictures  ([\d.]+)/s(?:  ([\d.]+) s left)?(?:  1 failed)?\x1b\[K", shown)
        self.assertTrue(times, repr(shown))
        for over, rate, left in times:
            self.assertEqual(bool(left), over != "6", "what is left is told until there is nothing")
            if left:
                step = 0.05 if "." in rate else 0.5  # both numbers are rounded
                self.assertGreaterEqual(float(left) + 0.5, (6 - int(over)) / (float(rate) + step))
                self.assertLessEqual(float(left) - 0.5, (6 - int(over)) / max(float(rate) - step, 1e-9))
        self.assertRegex(shown, r"\x1b\[31mweft: \S+bad\.png: is no picture that can be read\x1b\[0m\r\n")
        self.assertTrue(shown.endswith("\r\x1b[K"), repr(shown))
        self.assertNotIn("->", shown)

    def test_gets_no_color_where_none_is_wanted(self):
        shown = self.on_terminal(NO_COLOR="1")
        self.assertRegex(shown, r"\d/6 pictures")
        self.assertNotRegex(shown, r"\x1b\[\d*m")

    def test_that_is_dumb_gets_plain_lines(self):
        shown = self.on_terminal(TERM="dumb")
        self.assertEqual(len(re.findall(r"(?m)^\[\d/6\] \S+ -> ", shown)), 5)
        self.assertNotIn("\x1b", shown)


class CtrlC(Cli):
    def start(self, *arguments):
        """The program in a process group of its own, as a shell starts it."""
        program = subprocess.Popen(
            self.command("thumbnails", self.photos, "--out", self.out, "--json", *arguments), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        self.addCleanup(self.clear_away, program)
        return program

    def clear_away(self, program):
        try:
            os.killpg(program.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        program.wait(WATCHDOG_SECONDS)
        program.stdout.close()
        program.stderr.close()

    def read_until(self, program, words):
        for line in program.stderr:
            if words in line:
                return
        self.fail(f"the program ended without saying {words!r}")

    def end(self, program, code):
        stdout, _ = program.communicate(timeout=WATCHDOG_SECONDS)
        self.assertEqual(program.returncode, code)
        deadline = time.monotonic() + WATCHDOG_SECONDS
        while time.monotonic() < deadline:  # Of the whole group, workers included, nobody stays.
            try:
                os.killpg(program.pid, 0)
            except ProcessLookupError:
                break
        else:
            self.fail("a worker outlived the program")
        return json.loads(stdout)["summary"]

    def many_pictures(self, count):
        first = cli_input.png(self.photos / "0.png", 2000, 1500, noise=True)
        for i in range(1, count):
            os.link(first, self.photos / f"{i}.png")

    def test_ends_the_run_and_tells_what_was_done(self):
        self.many_pictures(1500)
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(signal=number):
                program = self.start()
                self.read_until(program, "[1/1500] ")
                if number == signal.SIGINT:
                    os.killpg(program.pid, number)  # A terminal sends it to all, the workers included.
                else:
                    program.send_signal(number)
                summary = self.end(program, code)
                self.assertTrue(summary["stopped"])
                self.assertGreater(summary["done"], 0)
                self.assertGreater(summary["not_done"], 0)
                self.assertEqual(summary["failed"], 0)
                self.assertEqual(summary["done"] + summary["not_done"], 1500)
                self.assertEqual(len(self.pictures()), summary["done"])
                for name in self.pictures():
                    (self.out / name).unlink()

    def test_twice_ends_it_at_once(self):
        cli_input.png(self.photos / "0.png")
        for i in range(1, 5):
            cli_input.slow_svg(self.photos / f"{i}.svg")
        program = self.start("--width", "4000")
        self.read_until(program, "[1/5] ")
        os.killpg(program.pid, signal.SIGINT)
        self.read_until(program, "once more to stop at once")
        os.killpg(program.pid, signal.SIGINT)
        summary = self.end(program, 130)
        self.assertEqual((summary["done"], summary["failed"], summary["not_done"]), (1, 0, 4))
        self.assertEqual(self.pictures(), ["0.jpg"])


if __name__ == "__main__":
    unittest.main()
