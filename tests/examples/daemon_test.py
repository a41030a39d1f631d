#!/usr/bin/env python3
"""daemon.cpp with words, and with one that it does not survive."""

import unittest

import driven


class Daemon(driven.Driven):
    def test_works_on_what_it_is_sent_until_it_is_told_to_stop(self):
        words = ["one", "two", "two"] * 100
        output = self.passes(self.run_program(stdin="".join(word + "\n" for word in words))).splitlines()
        self.assertEqual(output[0], "one: 1")
        self.assertEqual(output[-2], "two: 200")
        self.assertEqual(output[-1], "most: two, 200 times; 300 words told")

    def test_is_followed_by_another_one_when_it_crashes(self):
        ran = self.run_program(stdin="a\na\nb\ncrash!\na\n")
        self.assertEqual(ran.returncode, 0)
        self.assertEqual(ran.stdout.splitlines(), ["a: 1", "a: 2", "b: 1", "a: 3", "most: a, 3 times; 3 words told"])
        self.assertIn("SIGABRT", ran.stderr)
        self.assertIn("another one takes over", ran.stderr)

    def test_has_nothing_to_say_of_nothing(self):
        self.assertEqual(self.passes(self.run_program(stdin="")), "most: , 0 times; 0 words told\n")


if __name__ == "__main__":
    unittest.main()
