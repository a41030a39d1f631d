#!/usr/bin/env python3
"""fetch.cpp against a server on loopback."""

import functools
import http.server
import socket
import threading
import unittest

import driven


class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


class Fetch(driven.Driven):
    def setUp(self):
        super().setUp()
        (self.folder / "www").mkdir()
        handler = functools.partial(Quiet, directory=str(self.folder / "www"))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"

    def test_every_page_arrives_whole(self):
        for number in range(50):
            self.file(f"www/{number}.html", "x" * (number * 1000))
        output = self.passes(self.run_program(*(f"{self.url}/{number}.html" for number in range(50))))
        self.assertEqual(sorted(output.splitlines()),
                         sorted(f"{self.url}/{number}.html: {number * 1000} bytes of text/html" for number in range(50)))

    def test_what_fails_is_reported_and_the_rest_goes_on(self):
        for number in range(5):
            self.file(f"www/{number}.txt", "text")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            closed = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        good = [f"{self.url}/{number}.txt" for number in range(5)]
        ran = self.run_program(*good[:2], f"{self.url}/missing.txt", closed, "nonsense://", *good[2:])
        self.assertEqual(ran.returncode, 1)
        self.assertEqual(sorted(ran.stdout.splitlines()), [f"{url}: 4 bytes of text/plain" for url in good])
        failures = dict(line.split(": ", 1) for line in ran.stderr.splitlines())
        self.assertEqual(set(failures), {f"{self.url}/missing.txt", closed, "nonsense://"})
        self.assertEqual(failures[f"{self.url}/missing.txt"], "the server answered 404")
        self.assertIn("onnect", failures[closed])


if __name__ == "__main__":
    unittest.main()
