// A websocket client in Node: npm's `ws` when it is there, else the built-in one. Both speak the browser's API.
//
// usage: node node_client.js URL. Prints "CLIENT: N messages echoed, closed with CODE"; exit code 1 when an echo
// is wrong, 77 when this Node has no websocket client.
"use strict";
let Client, name;
try {
  Client = require("ws");
  name = "ws " + require("ws/package.json").version;
} catch (missing) {
  Client = globalThis.WebSocket;
  name = "node " + process.version;
}
if (!Client) process.exit(77);

const messages = [];
for (const size of [0, 1, 125, 126, 65535, 65536, 500000]) {
  messages.push("t".repeat(size), Uint8Array.from({ length: size }, (_, index) => index * 31 % 251));
}

const fail = why => { console.log(`${name}: ${why}`); process.exit(1); };
const socket = new Client(process.argv[2]);
socket.binaryType = "arraybuffer";
let at = 0;
const next = () => at < messages.length ? socket.send(messages[at]) : socket.close(1000, "done");
socket.addEventListener("open", next);
socket.addEventListener("message", event => {
  const sent = messages[at];
  const same = typeof sent === "string" ? event.data === sent
    : event.data instanceof ArrayBuffer && Buffer.compare(Buffer.from(event.data), Buffer.from(sent)) === 0;
  if (!same) fail(`message ${at} came back changed`);
  at += 1;
  next();
});
socket.addEventListener("error", event => fail(`error: ${event.message || "no particulars"}`));
socket.addEventListener("close", event => {
  if (event.code !== 1000 || at !== messages.length) fail(`closed with ${event.code} after ${at} messages`);
  console.log(`${name}: ${at} messages echoed, closed with ${event.code}`);
});
setTimeout(() => fail("no end after 60 s"), 60000).unref();
