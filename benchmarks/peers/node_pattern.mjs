// What Node's peers have in common: PROGRAM FIGURE CPU PEER_CPU full|quick (README.md).
// Node cannot pin a thread or a child by itself: taskset(1) does, which every Debian has.

import {execFileSync} from "node:child_process";
import {readdirSync} from "node:fs";

const IN_FLIGHT = 256;

const [, , , CPU, PEER_CPU] = process.argv;

/** The ids of a process's threads. */
export function threads_of(pid = "self") {
  return readdirSync(`/proc/${pid}/task`);
}

function pin(threads, cpu) {
  for (const thread of threads) execFileSync("taskset", ["-cp", cpu, thread], {stdio: ["ignore", "ignore", "inherit"]});
}

/** Keeps the threads of the other side on its CPU, and all others of this process on this side's. */
export function pin_sides(peers) {
  pin(threads_of().filter((thread) => !peers.includes(thread)), CPU);
  pin(peers, PEER_CPU);
}

/** `ask()` sends one message; `on_answer(f)` calls f for each that comes back; `end()` stops the other side. */
export function measure(ask, on_answer, end) {
  const [figure, , , how] = process.argv.slice(2);
  const span_ns = how === "quick" ? 30e6 : 300e6;
  const spans = [];
  let count = 0;
  let warm = false;
  let begin = process.hrtime.bigint();
  let asked = begin;
  const finish = (found) => {
    on_answer(() => {});
    console.log(JSON.stringify(found));
    end();
  };
  const phase = (now) => {
    if (Number(now - begin) < (warm ? span_ns : span_ns / 10)) return false;
    if (warm) return true;
    warm = true;
    begin = now;
    count = 0;
    spans.length = 0;
    return false;
  };
  on_answer(() => {
    const now = process.hrtime.bigint();
    ++count;
    if (figure === "round_trip") spans.push([Number(now - asked), 1]);
    if (phase(now)) {
      finish(figure === "round_trip" ? {ns: spans} : {rate: (count / Number(now - begin)) * 1e9});
      return;
    }
    asked = process.hrtime.bigint();
    ask();
  });
  asked = process.hrtime.bigint();
  for (let i = 0; i < (figure === "round_trip" ? 1 : IN_FLIGHT); ++i) ask();
}
