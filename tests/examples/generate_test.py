#!/usr/bin/env python3
"""generate.cpp over a folder of schemas."""

import subprocess
import unittest

import driven

USER = """#include "tree.hpp"
#include "s07.hpp"
int main() {
  Tree tree{.name = "root", .height = 2.5, .children = {{.name = "leaf"}}};
  S7 seven{.values = {1, 2}, .holds = true};
  return static_cast<int>(tree.children.size() + seven.values.size()) - 3;
}
"""


class Generate(driven.Driven):
    def test_the_headers_compile_and_have_the_fields(self):
        self.file("in/tree.struct", "# A tree.\nstruct Tree\n  name text\n  height number\n  children list of Tree\n")
        for number in range(30):
            self.file(f"in/s{number:02}.struct", f"struct S{number}\n values list of whole\n holds truth\nstruct E{number}\n")
        self.assertEqual(self.passes(self.run_program("in", "out")), "61 structs, 0 schemas refused\n")
        user = self.file("user.cpp", USER)
        program = self.folder / "user"
        subprocess.run([driven.COMPILER, "-std=c++20", "-Iout", str(user), "-o", str(program)], cwd=self.folder, check=True)
        self.assertEqual(subprocess.run([str(program)], check=False).returncode, 0)

    def test_a_schema_that_does_not_hold_is_refused_with_its_line_and_the_rest_is_made(self):
        self.file("in/good.struct", "struct Good\n  x number\n")
        self.file("in/bad.struct", "struct Bad\n  x number\n  y complex\n")
        self.file("in/early.struct", "x number\n")
        self.file("in/empty.struct", "")
        ran = self.run_program("in", "out")
        self.assertEqual((ran.returncode, ran.stdout), (1, "1 structs, 3 schemas refused\n"))
        self.assertEqual(ran.stderr, "bad.struct: line 3: no such type: complex\n"
                                     "early.struct: line 1: a field outside of a struct\n"
                                     "empty.struct: line 0: no struct in it\n")
        self.assertEqual([path.name for path in (self.folder / "out").iterdir()], ["good.hpp"])


if __name__ == "__main__":
    unittest.main()
