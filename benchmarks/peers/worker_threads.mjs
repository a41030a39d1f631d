// Node's worker_threads: a message of 32 bytes through the worker's port and back.

import {Worker, isMainThread, parentPort} from "node:worker_threads";
import {fileURLToPath} from "node:url";
import {measure, pin_sides, threads_of} from "./node_pattern.mjs";

if (isMainThread) {
  const before = threads_of();
  const worker = new Worker(fileURLToPath(import.meta.url));
  const message = new Uint8Array(32);
  let answered = () => {};
  worker.on("message", () => answered());
  worker.on("error", (error) => { console.error(error.message); process.exit(1); });
  worker.once("online", () => {
    pin_sides(threads_of().filter((thread) => !before.includes(thread)));
    measure(() => worker.postMessage(message), (f) => { answered = f; }, () => worker.terminate());
  });
} else {
  parentPort.on("message", (message) => parentPort.postMessage(message));
}
