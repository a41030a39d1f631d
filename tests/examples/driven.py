"""Runs an example as a user would: the arguments are the program and the C++ compiler."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM, COMPILER = [os.path.abspath(sys.argv.pop(1)) for _ in range(2)] if len(sys.argv) > 2 else ("", "")
WATCHDOG_SECONDS = 100


class Driven(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run_program(self, *arguments, stdin=""):
        return subprocess.run([PROGRAM, *map(str, arguments)], cwd=self.folder, input=stdin, capture_output=True,
                              text=True, check=False, timeout=WATCHDOG_SECONDS)

    def passes(self, ran):
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        return ran.stdout
