#!/usr/bin/env python3
"""The program `weft`, run as a user runs it: cli_test.py WEFT [unittest's own arguments]."""

import json
import os
import pathlib
import subprocess
import unittest

import cli_input
from cli_program import WATCHDOG_SECONDS, WEFT, Cli


class Arguments(Cli):
    def test_that_do_not_hold_are_refused_in_one_line(self):
        cli_input.png(self.photos / "a.png")
        whole = "is not a whole number from 1 to"
        for arguments, words in (
            (("thumbnails", "photos", "--workers", "0"), ("--workers", "'0'", whole)),
            (("thumbnails", "photos", "--workers", "-1"), ("--workers", "'-1'", whole)),
            (("thumbnails", "photos", "--workers", "abc"), ("--workers", "'abc'", whole)),
            (("thumbnails", "photos", "--workers", "2.5"), ("--workers", "'2.5'", whole)),
            (("thumbnails", "photos", "--workers", "99999999999999999999"), ("--workers", whole)),
            (("thumbnails", "photos", "--workers"), ("--workers",)),
            (("thumbnails", "photos", "--width", "0"), ("--width", "'0'", whole)),
            (("thumbnails", "photos", "--width", ""), ("--width",)),
            (("thumbnails", "photos", "--format", "bmp"), ("--format", "'bmp' is none of jpg, png and webp")),
            (("thumbnails", "photos", "--dpi", "72"), ("--dpi",)),
            (("thumbnails", "photos", "--bogus"), ("--bogus",)),
            (("thumbnails",), ("FOLDER",)),
            (("thumbnails", "photos", "--out", "photos"), ("--out photos", "choose another")),
            (("pages", "a.pdf", "--dpi", "0"), ("--dpi", "'0'", whole)),
            (("pages",), ("FILE.pdf",)),
            (("frobnicate",), ("frobnicate",)),
            ((), ("thumbnails, pages, top or bench",)),
        ):
            with self.subTest(arguments=arguments):
                ran = subprocess.run([WEFT, *arguments], cwd=self.folder, capture_output=True, text=True, check=False,
                                     timeout=WATCHDOG_SECONDS)
                self.refuses(ran, 2, *words)
                self.assertEqual(ran.stdout, "")
                self.assertEqual(sorted(os.listdir(self.folder)), ["photos"])

    def test_help_and_version_are_no_errors(self):
        for argument, word in (("--help", "thumbnails"), ("--version", "weft")):
            ran = subprocess.run([WEFT, argument], capture_output=True, text=True, check=False, timeout=WATCHDOG_SECONDS)
            self.assertEqual((ran.returncode, ran.stderr), (0, ""))
            self.assertIn(word, ran.stdout)


class BadInput(Cli):
    def test_missing_folder(self):
        ran = self.thumbnails("nowhere")
        self.refuses(ran, 1, "nowhere: No such file or directory")
        self.assertEqual(ran.stdout, "")

    def test_empty_folder(self):
        self.refuses(self.thumbnails(self.photos), 1, "no pictures found")

    def test_folder_without_pictures(self):
        (self.photos / "notes.txt").write_text("hello")
        self.refuses(self.thumbnails(self.photos), 1, "no pictures found")

    def test_file_that_is_no_picture(self):
        for name in ("notes.txt", "table.csv", "fake.jpg"):
            (self.photos / name).write_text("1 2 3\n4 5 6\n")
            with self.subTest(name=name):
                self.refuses(self.thumbnails(self.photos / name), 1, f"{name}: is no picture that can be read")

    def test_file_that_is_empty(self):
        (self.photos / "a.jpg").touch()
        self.refuses(self.thumbnails(self.photos), 1, "a.jpg: is empty")

    def test_link_to_nothing(self):
        (self.photos / "a.jpg").symlink_to("nowhere.jpg")
        self.refuses(self.thumbnails(self.photos), 1, "a.jpg: No such file or directory")

    def test_pipe(self):
        os.mkfifo(self.photos / "a.jpg")
        self.refuses(self.thumbnails(self.photos / "a.jpg"), 1, "a.jpg: is neither a folder nor a file")

    def test_output_folder_that_is_a_file(self):
        cli_input.png(self.photos / "a.png")
        (self.folder / "file").touch()
        for out in ("file", "file/below"):
            self.refuses(self.weft("thumbnails", self.photos, "--out", out), 1, f"--out {out}: ")

    def test_missing_and_damaged_and_encrypted_pdf(self):
        (self.folder / "damaged.pdf").write_bytes(b"%PDF-1.4\nrubbish")
        (self.folder / "empty.pdf").touch()
        cli_input.pdf(self.folder / "locked.pdf", encrypted=True)
        cli_input.png(self.folder / "picture.png")
        for name, reason in (("nowhere.pdf", "No such file or directory"), ("damaged.pdf", "damaged"),
                             ("empty.pdf", "is empty"), ("locked.pdf", "is encrypted, and needs a password"),
                             ("photos", "is a folder"), ("picture.png", "")):
            with self.subTest(name=name):
                self.refuses(self.pages(name), 1, f"{name}: ", reason)

    def test_what_the_user_may_not_read_or_write(self):
        """Root may read and write everything, so somebody else asks."""
        nobody = {"user": 65534} if os.geteuid() == 0 else {}
        self.folder.chmod(0o755)
        if nobody and subprocess.run(["test", "-x", WEFT], check=False, **nobody).returncode != 0:
            self.skipTest("the build folder is closed to others")
        self.out.mkdir()
        self.out.chmod(0o777)
        secret = cli_input.png(self.photos / "secret.png")
        secret.chmod(0)
        self.refuses(self.thumbnails(self.photos, **nobody), 1, "secret.png: Permission denied")
        secret.chmod(0o644)
        (self.photos / "closed").mkdir(mode=0)
        ran = self.thumbnails(self.photos, **nobody)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("closed: Permission denied\n", ran.stderr)
        self.assertEqual(self.pictures(), ["secret.jpg"])
        (self.folder / "shut").mkdir(mode=0o555)
        ran = self.weft("thumbnails", secret, "--out", "shut", **nobody)
        self.refuses_nothing_new(ran, "--out shut: Permission denied")

    def refuses_nothing_new(self, ran, words):
        self.assertEqual(ran.returncode, 1)
        self.assertRegex(ran.stderr, r"\Aweft: [^\n]+\n\Z")
        self.assertIn(words, ran.stderr)
        self.assertEqual(os.listdir(self.folder / "shut"), [])


class Thumbnails(Cli):
    def test_are_made_of_all_below_a_folder(self):
        (self.photos / "summer" / "sea").mkdir(parents=True)
        cli_input.png(self.photos / "wide.png", 640, 320)
        cli_input.png(self.photos / "summer" / "small.PNG", 60, 40)
        cli_input.ppm(self.photos / "summer" / "sea" / "high.ppm", 300, 900)
        (self.photos / "notes.txt").write_text("passed over")
        (self.photos / ".hidden.png").write_text("passed over")
        for ending in ("jpg", "png", "webp"):
            ran = self.weft("thumbnails", "photos", "--width", "100", "--format", ending, "--out", f"in-{ending}")
            self.assertEqual(ran.returncode, 0, ran.stderr)
            folder = self.folder / f"in-{ending}"
            self.assertEqual({name: cli_input.size_of(folder / name) for name in self.pictures(folder)}, {
                f"wide.{ending}": (100, 50), f"summer/small.{ending}": (60, 40),
                f"summer/sea/high.{ending}": (100, 300)})
            self.assertRegex(ran.stdout, r"\A3 pictures done, 0 failed, [\d.]+ s, [\d.]+ pictures/s, [\d.]+ MB/s read, "
                                         r"[\d.]+ x the speed of one worker \(2 workers\)\nThey are in in-")

    def test_damaged_ones_are_reported_and_the_rest_goes_on(self):
        whole = cli_input.png(self.photos / "whole.png", 400, 400, noise=True)
        self.assertEqual(self.weft("thumbnails", whole, "--out", "photos").returncode, 0)  # whole.jpg, beside it.
        cli_input.truncated(self.photos / "half-a.png", whole)
        cli_input.truncated(self.photos / "half-b.jpg", self.photos / "whole.jpg")
        ran = self.thumbnails(self.photos)
        self.assertEqual(ran.returncode, 1)
        self.assertRegex(ran.stderr, r"(?m)^weft: \S*half-a\.png: \S")
        self.assertRegex(ran.stderr, r"(?m)^weft: \S*half-b\.jpg: \S")
        self.assertIn("2 pictures done, 2 failed", ran.stdout)
        self.assertEqual(self.pictures(), ["whole.jpg.jpg", "whole.png.jpg"])

    def test_do_not_overwrite_each_other(self):
        for folder in ("a/x", "b/x"):
            (self.folder / folder).mkdir(parents=True)
            cli_input.png(self.folder / folder / "one.png")
            cli_input.ppm(self.folder / folder / "one.ppm")
            cli_input.png(self.folder / folder / "two.png")
        loose = cli_input.png(self.folder / "two.png")
        ran = self.thumbnails("a/x", "b/x/", loose, "a/x")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        each = ["one.png.jpg", "one.ppm.jpg", "two.jpg"]
        self.assertEqual(self.pictures(), sorted([f"x/{name}" for name in each] + [f"x-2/{name}" for name in each] + ["two.jpg"]))
        self.assertIn("7 pictures done", ran.stdout)

    def test_do_not_overwrite_what_is_read(self):
        path = cli_input.png(self.photos / "a.png")
        before = path.read_bytes()
        ran = self.weft("thumbnails", path, "--out", "photos", "--format", "png")
        self.assertEqual(ran.returncode, 1)
        self.assertRegex(ran.stderr, r"\Aweft: \S*a\.png: its thumbnail would overwrite the picture [^\n]*\n\Z")
        self.assertEqual(path.read_bytes(), before)

    def test_are_not_made_of_thumbnails(self):
        cli_input.png(self.photos / "a.png")
        for _ in range(2):
            ran = self.weft("thumbnails", "photos", "--out", "photos/small")
            self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(sorted(path.name for path in self.photos.rglob("*")), ["a.jpg", "a.png", "small"])

    def test_of_odd_names(self):
        names = ["new\nline.png", "tab\t.png", "-dash.png", "ünïcödé.png", "n" * 250 + ".png", "with space.png"]
        for name in names:
            cli_input.png(self.photos / name)
        with open(os.path.join(os.fsencode(self.photos), b"latin-\xe9.png"), "wb") as file:
            file.write((self.photos / names[0]).read_bytes())
        ran = subprocess.run(self.command("thumbnails", "photos", "--json", "--out", self.out), cwd=self.folder,
                             capture_output=True, check=False, timeout=WATCHDOG_SECONDS)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(len(ran.stderr.splitlines()), len(names) + 1)
        self.assertEqual(json.loads(ran.stdout)["summary"]["done"], len(names) + 1)
        self.assertEqual(len(os.listdir(self.out)), len(names) + 1)

    def test_report_as_json(self):
        cli_input.png(self.photos / "a.png", 300, 200)
        (self.photos / "b.png").write_text("no picture")
        ran = self.thumbnails("photos", "nowhere", "--json")
        self.assertEqual(ran.returncode, 1)
        report = json.loads(ran.stdout)
        results = {pathlib.Path(result["input"]).name: result for result in report["results"]}
        self.assertEqual(set(results), {"a.png", "b.png", "nowhere"})
        made = pathlib.Path(results["a.png"]["output"])
        self.assertEqual((results["a.png"]["width"], results["a.png"]["height"]), (256, 171))
        self.assertEqual(cli_input.size_of(made), (256, 171))
        self.assertEqual(results["a.png"]["bytes"], made.stat().st_size)
        self.assertEqual(results["b.png"]["error"], "is no picture that can be read")
        summary = report["summary"]
        self.assertEqual([summary[key] for key in ("done", "failed", "not_done", "stopped", "workers")],
                         [1, 2, 0, False, 2])
        for key in ("seconds", "pictures_per_second", "megabytes_per_second", "speed_up"):
            self.assertGreater(summary[key], 0, key)


class Crash(Cli):
    def test_costs_its_own_file_alone(self):
        for i in range(12):
            cli_input.png(self.photos / f"{i}.png")
        ran = self.thumbnails(self.photos, "--crash-on", "7.png")
        self.assertEqual(ran.returncode, 1)
        self.assertEqual(self.pictures(), sorted(f"{i}.jpg" for i in range(12) if i != 7))
        self.assertRegex(ran.stderr, r"(?m)^weft: \S*7\.png: crashed its worker: SIGSEGV \(Segmentation fault\) at address 0x0$")
        self.assertRegex(ran.stderr, r"(?m)^    .*crash_as_asked")
        self.assertIn("11 pictures done, 1 failed", ran.stdout)

    def test_is_in_the_report(self):
        cli_input.png(self.photos / "a.png")
        ran = self.thumbnails(self.photos, "--crash-on", "a.png", "--json")
        self.assertEqual(ran.returncode, 1)
        (result,) = json.loads(ran.stdout)["results"]
        self.assertEqual(result["signal"], "SIGSEGV")
        self.assertIn("crash_as_asked", "\n".join(result["trace"]))


class Pages(Cli):
    def test_are_made_of_each_pdf(self):
        cli_input.pdf(self.folder / "one.pdf")
        cli_input.pdf(self.folder / "three.pdf", pages=3)
        ran = self.pages("one.pdf", "three.pdf", "--dpi", "100")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(self.pictures(), ["one/page-001.jpg", *(f"three/page-00{i}.jpg" for i in (1, 2, 3))])
        for name in self.pictures():
            self.assertEqual(cli_input.size_of(self.out / name), (200, 100))
        self.assertIn("4 pages done, 0 failed", ran.stdout)

    def test_of_pdfs_of_one_name_go_to_two_folders(self):
        for folder in ("a", "b"):
            (self.folder / folder).mkdir()
            cli_input.pdf(self.folder / folder / "same.pdf")
        self.assertEqual(self.pages("a/same.pdf", "b/same.pdf").returncode, 0)
        self.assertEqual(self.pictures(), ["same-2/page-001.jpg", "same/page-001.jpg"])

    def test_go_on_after_a_pdf_that_fails(self):
        cli_input.pdf(self.folder / "good.pdf", pages=2)
        cli_input.pdf(self.folder / "locked.pdf", encrypted=True)
        ran = self.pages("locked.pdf", "good.pdf", "nowhere.pdf", "--json", "--format", "png")
        self.assertEqual(ran.returncode, 1)
        self.assertEqual(self.pictures(), ["good/page-001.png", "good/page-002.png"])
        report = json.loads(ran.stdout)
        self.assertEqual([(result["input"], result.get("page"), "error" in result) for result in report["results"]
                          if result["input"] != "good.pdf"],
                         [("nowhere.pdf", None, True), ("locked.pdf", None, True)])
        self.assertEqual((report["summary"]["done"], report["summary"]["failed"]), (2, 2))


if __name__ == "__main__":
    unittest.main()
