#!/usr/bin/env python3
"""model.cpp with a small model."""

import unittest

import driven

WORDS = "good 2\nfine 1\nbad -2\n"


class Model(driven.Driven):
    def test_is_loaded_once_a_worker_and_judges_every_text(self):
        self.file("words", WORDS)
        texts = [("good and fine", "+3"), ("bad", "-2"), ("neither", "+0")] * 200
        output = self.passes(self.run_program("words", stdin="".join(text + "\n" for text, _ in texts))).splitlines()
        self.assertEqual(output[:-1], [f"{score} {text}" for text, score in texts])
        self.assertRegex(output[-1], r"\A600 texts, [12] workers, a model each\Z")

    def test_that_is_missing_fails_the_start_of_the_workers_in_its_own_words(self):
        ran = self.run_program("nowhere", stdin="good\n")
        self.assertEqual((ran.returncode, ran.stdout), (1, ""))
        self.assertIn("no model: cannot read nowhere", ran.stderr)

    def test_that_is_broken_is_refused(self):
        self.file("words", WORDS + "ugly very\n")
        ran = self.run_program("words", stdin="good\n")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("words has a line without a weight after ugly", ran.stderr)


if __name__ == "__main__":
    unittest.main()
