#!/usr/bin/env python3
"""That each rule bites: samples that break exactly one, beside one that breaks none."""

import os
import re
import subprocess
import tempfile
import unittest

import house


def room(uses=(), owns=(), lent=(), publishes=(), sources=()):
    return {"uses": uses, "owns": owns, "lent": lent, "publishes": publishes, "sources": sources}


MATRIX = {
    "vocabulary": ["weft/error.hpp"],
    "rooms": {
        "memory": room(),
        "base": room(sources=["src/base/check.cpp"]),
        "wire": room(
            uses=["base"],
            owns=["flatbuffers"],
            lent=["weft/message.hpp"],
            publishes=["weft/message.hpp"],
            sources=["src/wire/message.cpp"],
        ),
        "fiber": room(uses=["base"], owns=["boost/fiber"]),
        "work": room(uses=["base", "fiber", "public"]),
    },
}
ONCE = "#pragma once\n"


def broken_rules(files, matrix=None):
    return [complaint.rule for complaint in house.check(files, matrix or MATRIX)]


class House(unittest.TestCase):
    def refuses(self, rule, files, matrix=None):
        self.assertEqual(broken_rules(files, matrix), [rule])

    def test_accepts_a_tree_that_keeps_the_rules(self):
        files = {
            "src/base/check.cpp": '#include "base/check.hpp"\n\n#include <sys/mman.h>\n#include <memory>\n',
            "src/base/check.hpp": ONCE + "#include <weft/error.hpp>\n",
            "src/wire/frame.hpp": ONCE + '#include <flatbuffers/flatbuffers.h>\n#include "base/check.hpp"\n',
            "src/wire/message.cpp": "#include <weft/message.hpp>\n",
            "src/work/pool.hpp": ONCE + "#include <weft/pool.hpp>\n  throw 1;\n",
            "src/base/flag.hpp": ONCE + "// SYNC flag: a.\na.load(acquire);\n\n// SYNC flag: b.\na.store(1, release);\n",
            "include/weft/error.hpp": ONCE + "#include <string>\n",
            "include/weft/message.hpp": ONCE + "#include <flatbuffers/flatbuffers.h>\n#include <weft/error.hpp>\n",
            "include/weft/pool.hpp": ONCE,
            "include/weft/weft.hpp": ONCE + "".join(
                f"#include <weft/{name}.hpp>\n" for name in ("error", "message", "pool")
            ),
            "tools/weft/main.cpp": "#include <memory>\n#include <weft/weft.hpp>\n",
            "tests/unit/check_test.cpp": '#include "base/check.hpp"\n#include <gtest/gtest.h>\n',
        }
        self.assertEqual(broken_rules(files), [])

    def test_refuses_a_room_that_the_matrix_does_not_allow(self):
        self.refuses("rooms", {"src/base/a.hpp": ONCE + '#include "wire/frame.hpp"\n'})

    def test_refuses_a_dependency_outside_its_room(self):
        self.refuses("rooms", {"src/work/a.hpp": ONCE + "#include <boost/fiber/all.hpp>\n"})
        self.refuses("rooms", {"src/base/a.hpp": ONCE + "  #  include <flatbuffers/flexbuffers.h>\n"})

    def test_refuses_a_dependency_that_no_room_owns(self):
        self.refuses("rooms", {"src/base/a.hpp": ONCE + "#include <fmt/format.h>\n"})

    def test_refuses_a_public_header_below_work_that_is_not_vocabulary(self):
        self.refuses("rooms", {"src/wire/a.hpp": ONCE + "#include <weft/pool.hpp>\n"})

    def test_refuses_an_include_that_does_not_name_its_room(self):
        self.refuses("rooms", {"src/base/a.hpp": ONCE + '#include "check.hpp"\n'})

    def test_refuses_internal_headers_in_programs_and_examples(self):
        for path in ("tools/weft/main.cpp", "tests/examples/hello.cpp"):
            self.refuses("rooms", {path: '#include "base/check.hpp"\n'})

    def test_refuses_fibers_atomics_and_rooms_in_public_headers(self):
        for include in ("<boost/fiber/fiber.hpp>", "<atomic>", '"base/check.hpp"', "<fmt/core.h>"):
            self.refuses("public", {"include/weft/pool.hpp": ONCE + f"#include {include}\n"})

    def test_refuses_a_dependency_that_was_lent_to_another_header(self):
        self.refuses("public", {"include/weft/pool.hpp": ONCE + "#include <flatbuffers/flatbuffers.h>\n"})

    def test_refuses_headers_in_a_circle(self):
        files = {
            "src/base/a.hpp": ONCE + '#include "base/b.hpp"\n',
            "src/base/b.hpp": ONCE + '#include "base/c.hpp"\n',
            "src/base/c.hpp": ONCE + '#include "base/a.hpp"\n',
        }
        self.refuses("cycles", files)

    def test_refuses_rooms_in_a_circle(self):
        rooms = {"a": room(uses=["b"]), "b": room(uses=["a"])}
        self.refuses("cycles", {}, {"vocabulary": [], "rooms": rooms})

    def test_refuses_a_source_that_is_compiled_into_nothing(self):
        self.refuses("lists", {"src/base/forgotten.cpp": ""})

    def test_refuses_a_folder_that_is_no_room(self):
        self.refuses("lists", {"src/attic/a.hpp": ONCE})

    def test_refuses_a_dependency_with_two_owners(self):
        rooms = {name: room(owns=["boost/pfr"]) for name in ("a", "b")}
        self.refuses("lists", {}, {"vocabulary": [], "rooms": rooms})

    def test_refuses_long_files(self):
        self.refuses("length", {"src/base/a.hpp": ONCE + "\n" * 450})

    def test_refuses_marks_of_the_unfinished(self):
        for mark in ("TO" "DO", "FIX" "ME", "XX" "X"):
            self.refuses("marks", {"src/README.md": f"{mark}: later\n"})

    def test_refuses_folders_of_one_machine(self):
        self.refuses("places", {"tools/demo": "cd /home" "/ada/weft\n"})

    def test_refuses_a_header_that_may_be_included_twice(self):
        self.refuses("header", {"src/base/a.hpp": "int a;\n"})

    def test_refuses_throw_below_work_but_not_in_comments(self):
        self.refuses("throws", {"src/wire/a.hpp": ONCE + "throw 1;\n"})
        self.assertEqual(broken_rules({"src/base/a.hpp": ONCE + '// never throw\nf("throw");\nthrow;\n'}), [])

    def test_refuses_what_a_good_neighbour_does_not_do(self):
        for call in ('shm_open("/weft", 0, 0);', "waitpid(-1, &status, 0);", 'std::system("ls");'):
            self.refuses("neighbour", {"src/base/a.hpp": ONCE + call + "\n"})

    def test_refuses_an_ordering_without_a_label(self):
        for code in ("a.load(base::acquire);", "a.store(1, std::memory_order_release);", "base::full_fence();"):
            self.refuses("sync", {"src/base/a.hpp": ONCE + code + "\n"})

    def test_refuses_relaxed_without_its_reason(self):
        for code in ("a.load(base::relaxed);", "a.store(1, std::memory_order_relaxed);", "f(a, __ATOMIC_RELAXED);"):
            self.refuses("relaxed", {"src/base/a.hpp": ONCE + code + "\n"})
            self.assertEqual(broken_rules({"src/base/a.hpp": ONCE + "// Relaxed: a hint.\n" + code + "\n"}), [])

    def test_refuses_a_label_that_stands_on_one_side_only(self):
        self.refuses("sync", {"src/base/a.hpp": ONCE + "// SYNC flag: what.\na.load(base::acquire);\n"})

    def test_refuses_a_public_header_that_the_umbrella_forgets(self):
        self.refuses("umbrella", {"include/weft/weft.hpp": ONCE, "include/weft/pool.hpp": ONCE})
        self.assertEqual(broken_rules({"include/weft/weft.hpp": ONCE, "include/weft/asio.hpp": ONCE}), [])

    def test_refuses_a_sample_of_the_readme_that_no_test_has(self):
        readme = "# It\n\n```cpp\nint x = f(1);\n```\n"
        self.refuses("samples", {"README.md": readme, "tests/unit/a_test.cpp": "int x = f(2);\n"})
        self.assertEqual(broken_rules({"README.md": readme, "tests/unit/a_test.cpp": "int x =\n    f(1);\n"}), [])


@unittest.skipUnless(os.environ.get("CLANG_FORMAT"), "CLANG_FORMAT names no clang-format")
class Format(unittest.TestCase):
    def test_refuses_a_file_that_is_not_formatted(self):
        with tempfile.TemporaryDirectory() as folder:
            good, bad = "int f() { return 1; }\n", "int f( ){return 1;}\n"
            for name, text, status in (("good.cpp", good, 0), ("bad.cpp", bad, 1)):
                path = os.path.join(folder, name)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                style = "file:" + os.path.join(os.path.dirname(__file__), "../../.clang-format")
                command = [os.environ["CLANG_FORMAT"], f"--style={style}", "--dry-run", "-Werror", path]
                ran = subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
                self.assertEqual(ran.returncode, status, name)


class Samples(unittest.TestCase):
    def test_there_is_one_for_each_rule(self):
        """A rule that is added without a sample is found here."""
        folder = os.path.dirname(os.path.abspath(__file__))
        rules = set()
        for name in ("rooms.py", "text.py", "sync.py"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                rules |= set(re.findall(r'Complaint\([^"]*?(?:"src/CMakeLists.txt", 0, )?"(\w+)", ', file.read()))
        with open(__file__, encoding="utf-8") as file:
            samples = set(re.findall(r'self\.refuses\("(\w+)"', file.read()))
        self.assertEqual(rules, samples)


if __name__ == "__main__":
    unittest.main()
