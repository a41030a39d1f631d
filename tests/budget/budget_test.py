#!/usr/bin/env python3
"""That the guard bites: what it makes of dumps and of counts that are over their budgets."""

import contextlib
import io
import pathlib
import tempfile
import unittest

import budget
import callgrind
import stages

PROGRAM = "/build/subject"
DUMP = f"""# callgrind format
desc: Trigger: Client Request: parent submit plain 100
events: Ir

ob=/lib/libc.so.6
fn=malloc
0x12 30
0x10 10
0x14 5

ob={PROGRAM}
fn=f
0x100 3
cfn=malloc
calls=1000 0x10
0x104 9999
0x108 4
ob=/lib/libc.so.6
fn=malloc
0x18 7

totals: 59
"""


def dump(name, instructions, allocations=0):
    return callgrind.Dump(name, instructions, allocations, {})


def rounds(per_task, constant=50):
    return [dump(f"parent submit plain {count}", constant + per_task * count) for count in (100, 200)] * 3


class Dumps(unittest.TestCase):
    def test_are_read(self):
        found = callgrind.parse(DUMP, PROGRAM)
        self.assertEqual(found.name, "parent submit plain 100")
        self.assertEqual(found.instructions, 59)
        self.assertEqual(found.allocations, 10)
        self.assertEqual(found.at, {None: 52, 0x100: 3, 0x108: 4})

    def test_of_the_end_of_the_program_are_left_out(self):
        self.assertIsNone(callgrind.parse("desc: Trigger: Program termination\n", PROGRAM))


class Counts(unittest.TestCase):
    def test_are_of_one_task_whatever_comes_before_and_behind(self):
        self.assertEqual(budget.counted(rounds(300), "")["instructions"], {"parent submit plain": 300})

    def test_leave_out_the_odd_round_that_was_disturbed(self):
        disturbed = [*rounds(300), dump("parent submit plain 200", 900_000)]
        self.assertEqual(budget.counted(disturbed, "")["instructions"], {"parent submit plain": 300})

    def test_of_lines_tell_a_task_from_what_a_batch_writes_over_and_over(self):
        lines = "parent lines text 100 301 1\nparent lines text 100 303 2\nparent lines text 200 601 1\n" \
                "parent lines text 100 301 1\n"
        found = budget.counted([], lines)["lines"]
        self.assertEqual(found, {"parent ring text": 3, "parent others text": 2})


class Budgets(unittest.TestCase):
    ENTRY = {"tolerance": {"part": 0.02, "absolute": 4}, "budgets": {"a": 300, "b": 100}}

    def compare(self, **found):
        return budget.compare({"instructions": self.ENTRY}, {"instructions": found})

    def test_hold_within_their_tolerance(self):
        self.assertEqual(self.compare(a=306, b=104), ([], []))

    def test_refuse_one_instruction_more(self):
        self.assertEqual(self.compare(a=307, b=100), ([("instructions", "a", 300, 307)], []))

    def test_refuse_what_is_not_counted_any_more_and_what_has_no_budget(self):
        over, _ = self.compare(a=300, c=5)
        self.assertEqual(over, [("instructions", "b", 100, None), ("instructions", "c", None, 5)])

    def test_say_what_could_be_lowered(self):
        self.assertEqual(self.compare(a=200, b=100), ([], [("instructions", "a", 300, 200)]))

    def test_are_shown_beside_what_is_counted(self):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            budget.show([("instructions", "parent submit plain", 300, 307), ("lines", "new", None, 2)])
        self.assertRegex(printed.getvalue(), r"instructions +parent submit plain +300 +307\nlines +new +none +2\n")


class Stages(unittest.TestCase):
    def test_are_told_by_the_innermost_function_that_is_known(self):
        chain = ["std::atomic<unsigned>::load", "weft::ring::Consumer::peek()", "weft::work::PoolCore::drain(Peer&)"]
        self.assertEqual(stages.stage_of("parent get", chain), "find")
        self.assertEqual(stages.stage_of("parent get", chain[2:]), "settle")

    def test_are_all_in_the_table(self):
        self.assertEqual({(part, stage) for part, entries in stages.PARTS.items() for stage, _ in entries},
                         set(stages.ORDER))

    def test_go_between_the_marks(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "a.md"
            path.write_text(f"before\n{budget.BEGIN}\nold\n{budget.END}\nbehind\n")
            budget.put_between_marks(path, "new")
            self.assertEqual(path.read_text(), f"before\n{budget.BEGIN}\nnew\n{budget.END}\nbehind\n")
            path.write_text("nothing")
            with self.assertRaises(SystemExit):
                budget.put_between_marks(path, "new")


if __name__ == "__main__":
    unittest.main()
