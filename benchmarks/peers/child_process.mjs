// Node's child_process.fork with the serialization that its manual recommends for bytes.

import {fork} from "node:child_process";
import {fileURLToPath} from "node:url";
import {measure, pin_sides, threads_of} from "./node_pattern.mjs";

if (process.argv[2] !== "echo") {
  const child = fork(fileURLToPath(import.meta.url), ["echo"], {serialization: "advanced"});
  const message = new Uint8Array(32);
  let answered = () => {};
  child.on("message", () => answered());
  child.on("error", (error) => { console.error(error.message); process.exit(1); });
  const begin = () => {
    pin_sides(threads_of(child.pid));
    measure(() => child.send(message), (f) => { answered = f; }, () => child.disconnect());
  };
  child.once("message", begin);  // it has all its threads by now
} else {
  process.on("message", (message) => process.send(message));
  process.send("begin");
}
