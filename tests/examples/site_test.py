#!/usr/bin/env python3
"""site.cpp over a folder of Markdown."""

import unittest

import driven


class Site(driven.Driven):
    def test_every_file_becomes_a_page_and_a_line_of_the_contents(self):
        self.file("in/a.md", "# Apples & Pears\n\nOne *ripe* apple.\n")
        self.file("in/deep/below/b.md", "No heading here.\n")
        for number in range(40):
            self.file(f"in/many/{number:02}.md", f"# Number {number}\n")
        self.file("in/notes.txt", "not a page")
        self.passes(self.run_program("in", "out"))
        page = (self.folder / "out/a.html").read_text(encoding="utf-8")
        self.assertIn("<title>Apples &amp; Pears</title>", page)
        self.assertIn("<p>One <em>ripe</em> apple.</p>", page)
        pages = sorted(str(path.relative_to(self.folder / "out")) for path in self.folder.glob("out/**/*.html"))
        self.assertEqual(len(pages), 43)
        index = (self.folder / "out/index.html").read_text(encoding="utf-8")
        links = [line for line in index.splitlines() if line.startswith("<li>")]
        self.assertEqual(links[0], '<li><a href="a.html">Apples &amp; Pears</a></li>')
        self.assertEqual(links[1], '<li><a href="deep/below/b.html">b</a></li>')
        self.assertEqual(links[2:], [f'<li><a href="many/{n:02}.html">Number {n}</a></li>' for n in range(40)])

    def test_a_file_that_cannot_be_read_costs_its_page_alone(self):
        self.file("in/good.md", "# Good\n")
        (self.folder / "in/gone.md").symlink_to("nowhere")
        ran = self.run_program("in", "out")
        self.assertEqual((ran.returncode, ran.stderr), (1, "gone.md: cannot be read\n"))
        self.assertTrue((self.folder / "out/good.html").exists())
        self.assertNotIn("gone", (self.folder / "out/index.html").read_text(encoding="utf-8"))

    def test_a_folder_that_is_not_there_is_an_error(self):
        ran = self.run_program("nowhere", "out")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("nowhere", ran.stderr)


if __name__ == "__main__":
    unittest.main()
