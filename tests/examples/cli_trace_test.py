#!/usr/bin/env python3
"""What WEFT_TRACE has `weft` write, held against the Trace Event Format (Google, 2016), which Perfetto and chrome://tracing read:
cli_trace_test.py WEFT [unittest's own arguments]."""

import json
import os
import unittest

import cli_input
from cli_program import Cli


def strictly(text):
    """JSON as its standard has it: no NaN, no key twice."""

    def no_constant(word):
        raise ValueError(f"{word} is no JSON")

    def no_key_twice(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError(f"a key stands twice: {pairs}")
        return dict(pairs)

    return json.loads(text, parse_constant=no_constant, object_pairs_hook=no_key_twice)


TIMED = {"ph", "cat", "name", "pid", "tid", "ts"}
FIELDS = {  # by phase: those that have to be there, and those that may
    "X": (TIMED | {"dur"}, {"args"}),
    "i": (TIMED | {"s"}, {"args"}),
    "s": (TIMED | {"id"}, {"bp"}),
    "t": (TIMED | {"id"}, {"bp"}),
    "f": (TIMED | {"id", "bp"}, set()),
    "M": ({"ph", "name", "pid", "tid", "args"}, set()),
}


class Trace(Cli):
    def check(self, event):
        needed, allowed = FIELDS[event["ph"]]
        self.assertLessEqual(needed, event.keys(), event)
        self.assertLessEqual(event.keys(), needed | allowed, event)
        for key in ("pid", "tid"):
            self.assertIs(type(event[key]), int, event)
            self.assertTrue(0 < event[key] < 2**31, event)
        for key in ("name", "cat"):
            self.assertIs(type(event.get(key, "M")), str, event)
            self.assertNotEqual(event.get(key, "M"), "", event)
        for key in ("ts", "dur"):
            self.assertIn(type(event.get(key, 0)), (int, float), event)
            self.assertGreaterEqual(event.get(key, 0), 0, event)
        self.assertIs(type(event.get("args", {})), dict, event)
        self.assertIs(type(event.get("id", 0)), int, event)
        self.assertIn(event.get("s", "t"), ("g", "p", "t"), event)
        if event["ph"] == "M":
            self.assertIn(event["name"], ("process_name", "thread_name"), event)
            self.assertEqual(list(event["args"]), ["name"], event)

    def test_is_what_viewers_read(self):
        for i in range(20):
            cli_input.png(self.photos / f"{i}.png")
        cli_input.png(self.photos / "crash.png")
        with open(os.fsencode(self.photos) + b'/no "picture"\\\n\x01\xff.png', "wb") as bad:
            bad.write(b"nothing")
        trace = self.folder / "trace.json"
        ran = self.thumbnails(self.photos, "--crash-on", "crash.png", env={**os.environ, "WEFT_TRACE": str(trace)},
                              errors="replace")
        self.assertEqual(ran.returncode, 1, ran.stderr)
        with open("/proc/uptime", encoding="ascii") as uptime:
            now = float(uptime.read().split()[0]) * 1e6

        events = strictly(trace.read_bytes().decode())
        slices, flows, named = {}, {}, set()
        for event in events:
            self.check(event)
            track = event["pid"], event["tid"]
            if event["ph"] == "M":
                named.add((event["name"], *track))
                continue
            self.assertIn(("thread_name", *track), named, "a track gets its name before its first event")
            self.assertTrue(now - 600e6 < event["ts"] < now + 600e6, "ts is in us")
            if event["ph"] == "X":
                slices.setdefault(track, []).append((event["ts"], event["ts"] + event["dur"], event))
            elif event["ph"] in "stf":
                flows.setdefault(event["id"], []).append(event)

        runs = [slice for slice in events if slice["ph"] == "X" and slice["name"] == "weft_cli::Thumbnail"]
        self.assertEqual(len(runs), 22)
        errors = [run["args"]["error"] for run in runs if "error" in run["args"]]
        self.assertEqual(len(errors), 2)
        self.assertTrue(any("SIGSEGV" in error for error in errors), errors)
        self.assertEqual(len(flows), 22)
        for flow in flows.values():
            flow.sort(key=lambda event: event["ts"])
            self.assertEqual("".join(event["ph"] for event in flow), "stf")
            self.assertEqual({(event["cat"], event["name"]) for event in flow}, {("task", "task")})
            for event in flow:  # begins and ends at a slice of its task
                at = [slice for begin, end, slice in slices[event["pid"], event["tid"]] if begin <= event["ts"] <= end]
                self.assertIn(event["id"], [slice.get("args", {}).get("task") for slice in at])
        ends = [event["pid"] for event in events if (event["ph"], event["name"]) == ("i", "end")]
        workers = [event["pid"] for event in events if event["name"] == "process_name"
                   and event["args"]["name"].startswith("worker ")]
        self.assertGreaterEqual(len(workers), 2)
        self.assertEqual(sorted(ends), sorted(workers))


if __name__ == "__main__":
    unittest.main()
