#!/usr/bin/env python3
"""`weft top` over the program `weft` at work: cli_top_test.py WEFT [unittest's own arguments]."""

import fcntl
import json
import mmap
import os
import pathlib
import pty
import signal
import struct
import subprocess
import termios
import unittest

import cli_input
from cli_program import WATCHDOG_SECONDS, WEFT, Cli, read_to_end


class Watched(Cli):
    def start(self):
        """A run with two workers that have something to do for longer than any test takes."""
        cli_input.slow_svg(self.photos / "0.svg")
        for i in range(1, 500):
            os.link(self.photos / "0.svg", self.photos / f"{i}.svg")
        program = subprocess.Popen(
            self.command("thumbnails", self.photos, "--out", self.out, "--width", "4000"), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, program)
        return program

    def end(self, program):
        program.kill()
        program.wait(WATCHDOG_SECONDS)

    def top(self, *arguments, **how):
        return subprocess.run([WEFT, "top", *map(str, arguments)], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=WATCHDOG_SECONDS, **how)

    def look(self, *arguments):
        ran = self.top("--once", "--json", "--interval", "0.1", *arguments)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        return json.loads(ran.stdout)["programs"]

    def busy(self):
        """A program of which both workers have been seen busy."""
        program = self.start()
        while True:
            found = [each for each in self.look() if each["pid"] == program.pid]
            if found and [worker["state"] for worker in found[0]["workers"]] == ["busy", "busy"]:
                return program
            self.assertIsNone(program.poll())


class Top(Watched):
    def test_shows_a_program_and_its_busy_workers(self):
        program = self.busy()
        look = self.look(program.pid)
        self.assertEqual(len(look), 1)
        self.assertEqual((look[0]["pid"], look[0]["name"], look[0]["pools"]), (program.pid, "weft", 1))
        self.assertNotIn("problem", look[0])
        self.assertEqual(len(look[0]["workers"]), 2)
        for worker in look[0]["workers"]:
            self.assertEqual((worker["kind"], worker["state"]), ("process", "busy"))
            self.assertEqual((worker["tasks_in_hand"], worker["task"]), (1, "weft_cli::Thumbnail"))
            self.assertNotIn("run_p50_ns", worker, "none is done")
            with open(f"/proc/{worker['pid']}/stat", encoding="ascii", errors="replace") as stat:
                self.assertEqual(int(stat.read().rpartition(")")[2].split()[1]), program.pid)
            self.assertGreater(worker["rss_bytes"], 1 << 20)
            self.assertLessEqual(worker["pss_bytes"], worker["rss_bytes"])
        while not any(worker["cpu_percent"] > 0 for worker in look[0]["workers"]):
            look = self.look(program.pid)

    def test_counts_what_is_done(self):
        for i in range(20):
            cli_input.png(self.photos / f"0-{i}.png")  # before all the others
        program = self.start()
        while not (look := [each for each in self.look() if each["pid"] == program.pid]) or look[0]["tasks_done"] < 20:
            self.assertIsNone(program.poll())
        self.assertEqual(look[0]["tasks_done"], sum(worker["tasks_done"] for worker in look[0]["workers"]))
        self.assertGreater(look[0]["run_p50_ns"], 1024, "a thumbnail takes longer")
        self.assertLessEqual(look[0]["run_p50_ns"], look[0]["run_p99_ns"])

    def test_prints_plain_lines_without_a_terminal(self):
        program = self.busy()
        ran = self.top("--once", "--interval", "0.1", program.pid)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        lines = ran.stdout.splitlines()
        self.assertEqual(lines[0].split(), ["PID", "STATE", "TASKS", "TASKS/S", "P50", "P99", "CPU", "%", "MEMORY", "TASK"])
        self.assertEqual(lines[1].split()[:2], [str(program.pid), "program"])
        self.assertEqual([line.split()[1] for line in lines[2:]], ["busy", "busy"])
        self.assertTrue(all("weft_cli::Thumbnail" in line for line in lines[2:]))
        self.assertNotIn("\x1b", ran.stdout)

    def test_goes_on_until_ctrl_c_or_the_programs_end(self):
        program = self.busy()
        for ends in ("ctrl-c", "program"):
            with self.subTest(ends=ends), subprocess.Popen(
                [WEFT, "top", "--json", "--interval", "0.1", str(program.pid)], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as top:
                for _ in range(2):
                    self.assertEqual(json.loads(top.stdout.readline())["programs"][0]["pid"], program.pid)
                if ends == "ctrl-c":
                    top.send_signal(signal.SIGINT)
                else:
                    self.end(program)
                _, errors = top.communicate(timeout=WATCHDOG_SECONDS)
                self.assertEqual(top.returncode, 0)
                self.assertEqual(errors, "" if ends == "ctrl-c" else f"weft: there is no process {program.pid}\n")

    def test_redraws_a_terminal_and_leaves_it_as_it_was(self):
        program = self.busy()
        ours, theirs = pty.openpty()
        with subprocess.Popen([WEFT, "top", "--interval", "0.1", str(program.pid)], stdin=subprocess.DEVNULL,
                              stdout=theirs, stderr=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm"}) as top:
            os.close(theirs)
            shown = b""
            while shown.count(b"\x1b[H") < 3:
                shown += os.read(ours, 65536)
            top.send_signal(signal.SIGINT)
            shown += read_to_end(ours)
            self.assertEqual(top.wait(WATCHDOG_SECONDS), 0)
        os.close(ours)
        self.assertTrue(shown.startswith(b"\x1b[?1049h"), shown)
        self.assertTrue(shown.endswith(b"\x1b[?1049l"), shown)
        self.assertIn(b" busy ", shown)


class Lies(Watched):
    """This test itself, which holds what looks like a pool with a worker that is a thread."""

    SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL | 0x10  # F_SEAL_FUTURE_WRITE

    def setUp(self):
        super().setUp()
        # As schemas/README.md has it: header, counters, black box, ring of 8 lines.
        header = struct.pack("<QIIQIIQQQQ", 0x314E4C5446455700, 3, os.getpid(), 512 + 16384 + 512, 8, 0, 512 + 16384,
                             512, 16384, 0)
        self.lane = self.region("weft-thread-lane", header.ljust(20480, b"\0"))
        self.region("weft-board", bytes(4096))
        self.comm = pathlib.Path("/proc/self/comm")
        self.addCleanup(self.comm.write_bytes, self.comm.read_bytes().rstrip())

    def region(self, name, content):
        number = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self.addCleanup(os.close, number)
        os.write(number, content)
        memory = mmap.mmap(number, 0)
        self.addCleanup(memory.close)
        fcntl.fcntl(number, fcntl.F_ADD_SEALS, self.SEALS)
        return memory

    def test_are_shown_as_numbers_that_can_be(self):
        with subprocess.Popen([WEFT, "top", "--json", "--interval", "0.1", str(os.getpid())], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as top:
            first = json.loads(top.stdout.readline())["programs"][0]
            self.assertEqual([worker["tasks_done"] for worker in first["workers"]], [0])
            self.lane[152:160] = b"\xff" * 8
            while not (look := json.loads(top.stdout.readline())["programs"][0])["tasks_done"]:
                pass
            top.send_signal(signal.SIGINT)
            top.communicate(timeout=WATCHDOG_SECONDS)
        self.assertEqual(look["tasks_done"], 2**64 - 1)
        self.assertEqual(look["tasks_per_second"], 1e12)

    def test_of_run_times_are_added_up_all_the_same(self):
        self.region("weft-thread-lane", self.lane[:])
        self.lane[256:512] = b"\xff" * 256
        look = self.look(os.getpid())[0]
        self.assertEqual([worker.get("run_p99_ns") for worker in look["workers"]], [2**36, None])
        self.assertEqual(look["run_p99_ns"], 2**36)

    def test_or_truths_of_run_times_are_shown(self):
        self.lane[256 + 8 * 4:256 + 8 * 5] = struct.pack("<Q", 98)  # from 512 to 1,024 ns
        self.lane[256 + 8 * 14:256 + 8 * 15] = struct.pack("<Q", 2)  # from 524,288 to 1,048,576 ns
        lines = self.top("--once", "--interval", "0.1", os.getpid()).stdout.splitlines()
        self.assertEqual(len(lines), 3)
        for line in lines[1:]:
            self.assertIn(" 1.02 us 1.05 ms ", line)
        look = self.look(os.getpid())[0]
        self.assertEqual((look["run_p50_ns"], look["run_p99_ns"]), (1024, 1 << 20))

    def test_do_not_reach_the_terminal(self):
        self.comm.write_bytes(b"a\x1b\xc2\x9b31m\xc3\xa4")
        ran = self.top("--once", "--interval", "0.1", os.getpid())
        self.assertIn("  a?\\x9b31m\u00e4: 1 pool\n", ran.stdout)

    def test_names_are_cut_between_characters(self):
        self.comm.write_text("\u00e4" * 7, encoding="utf-8")
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 77, 0, 0))
        with subprocess.Popen([WEFT, "top", "--interval", "0.1", str(os.getpid())], stdin=subprocess.DEVNULL,
                              stdout=theirs, env={**os.environ, "TERM": "xterm"}) as top:
            os.close(theirs)
            shown = b""
            while shown.count(b"\x1b[J") < 1:
                shown += os.read(ours, 65536)
            top.send_signal(signal.SIGINT)
            self.assertEqual(top.wait(WATCHDOG_SECONDS), 0)
        os.close(ours)
        self.assertIn(b" " + "\u00e4".encode() * 3 + b"\x1b[K", shown)


class Refusals(Watched):
    def test_are_one_line_that_says_why(self):
        program = self.busy()
        worker = self.look(program.pid)[0]["workers"][0]["pid"]
        gone = subprocess.Popen(["true"])
        gone.wait(WATCHDOG_SECONDS)
        for arguments, code, words in (
            ((gone.pid,), 1, f"there is no process {gone.pid}"),
            ((os.getpid(),), 1, "has no pool of weft's"),
            ((worker,), 1, f"is a worker of process {program.pid}"),
            (("0",), 2, "'0' is not a whole number from 1"),
            (("x",), 2, "'x' is not a whole number from 1"),
            (("--interval", "0"), 2, "'0' is not a number of seconds from 0.1 to 3600"),
            (("--interval", "nan"), 2, "'nan' is not a number of seconds"),
            (("--often",), 2, "--often"),
        ):
            with self.subTest(arguments=arguments):
                ran = self.top(*arguments)
                self.assertEqual((ran.returncode, ran.stdout), (code, ""))
                self.assertRegex(ran.stderr, r"\Aweft[^\n]*: [^\n]+\n\Z")
                self.assertIn(words, ran.stderr)

    def test_of_an_output_that_is_full(self):
        with open("/dev/full", "wb") as full:
            ran = subprocess.run([WEFT, "top", "--once", "--interval", "0.1"], stdin=subprocess.DEVNULL, stdout=full,
                                 stderr=subprocess.PIPE, text=True, check=False, timeout=WATCHDOG_SECONDS)
        self.assertEqual(ran.returncode, 1)
        self.assertEqual(ran.stderr,
                         "weft: nothing can be written to the standard output: No space left on device\n")

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_somebody_elses_program(self):
        program = self.busy()
        ran = self.top(program.pid, user=65534, group=65534, extra_groups=[])
        self.assertEqual((ran.returncode, ran.stdout), (1, ""))
        self.assertIn("may not be looked into", ran.stderr)
        ran = self.top("--once", "--interval", "0.1", "--json", user=65534, group=65534, extra_groups=[])
        self.assertEqual(ran.returncode, 0)
        self.assertNotIn(program.pid, [each["pid"] for each in json.loads(ran.stdout)["programs"]])


if __name__ == "__main__":
    unittest.main()
