// Node's worker_threads: a message of 32 bytes through the worker's port and back.

import {Worker, isMainThread, parentPort} from "node:worker_threads";
import {fileURLToPath} from "node:url";
import {measure} from "./node_pattern.mjs";

if (isMainThread) {
  const worker = new Worker(fileURLToPath(import.meta.url));
  const message = new Uint8Array(32);
  let answered = () => {};
  worker.on("message", () => answered());
  worker.on("error", (error) => { console.error(error.message); process.exit(1); });
  worker.once("online", () => measure(
      () => worker.postMessage(message), (f) => { answered = f; }, () => worker.terminate()));
} else {
  parentPort.on("message", (message) => parentPort.postMessage(message));
}
