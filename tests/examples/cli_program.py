"""The program `weft` under test, and what it works on: the base of the classes in cli_test.py and cli_live_test.py."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import cli_input

WEFT = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else ""
WATCHDOG_SECONDS = 100


def read_to_end(terminal):
    """What comes from our end of a terminal until nobody holds the other end any more."""
    shown = b""
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:  # So Linux says that nobody does.
        pass
    return shown


class Cli(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.photos = self.folder / "photos"
        self.photos.mkdir()
        self.out = self.folder / "out"

    def command(self, command, *arguments):
        if not any(str(argument).startswith("--workers") for argument in arguments):
            arguments += ("--workers", "2")
        return [WEFT, command, *map(str, arguments)]

    def weft(self, command, *arguments, **how):
        return subprocess.run(
            self.command(command, *arguments), cwd=self.folder, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, timeout=WATCHDOG_SECONDS, **how)

    def thumbnails(self, *arguments, **how):
        return self.weft("thumbnails", *arguments, "--out", self.out, **how)

    def pages(self, *arguments, **how):
        return self.weft("pages", *arguments, "--out", self.out, **how)

    def pictures(self, folder=None):
        """The names of all files below the output folder; every one must be a whole picture."""
        folder = folder or self.out
        paths = [path for path in folder.rglob("*") if path.is_file()]
        for path in paths:
            cli_input.size_of(path)
        return sorted(str(path.relative_to(folder)) for path in paths)

    def refuses(self, ran, code, *words):
        """One line on stderr with all of `words`, and nothing done."""
        self.assertEqual(ran.returncode, code, ran.stderr)
        self.assertRegex(ran.stderr, r"\Aweft[^\n]*: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, ran.stderr)
        self.assertEqual(self.pictures(), [])
