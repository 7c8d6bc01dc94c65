// An independent Sparkplug B edge node (sparkplug-client): --port P --group G --node N.
// In, a line of JSON each: {"call": method of the client, "args": […]}, {"skip": n} to lose n sequence numbers,
// {"die": true} to fall silent so that the broker sends the will. Out, likewise: {"event": …, "payload": …}.
const readline = require("node:readline");
const { parseArgs } = require("node:util");
const { newClient } = require("sparkplug-client");

const { values: asked } = parseArgs({
  options: { port: { type: "string" }, group: { type: "string" }, node: { type: "string" } },
});

function plain(key, value) {
  return value && value.low !== undefined ? value.toString() : value; // protobuf.js has integers of its own
}

function say(event, payload) {
  process.stdout.write(`${JSON.stringify({ event, payload }, plain)}\n`);
}

const client = newClient({
  serverUrl: `mqtt://127.0.0.1:${asked.port}`,
  username: "",
  password: "",
  groupId: asked.group,
  edgeNode: asked.node,
  clientId: `peer-${asked.node}`,
  keepalive: 5,
  publishDeath: true,
  version: "spBv1.0",
});
client.on("birth", () => say("birth"));
client.on("ncmd", (payload) => say("ncmd", payload));
client.on("dcmd", (device, payload) => say("dcmd", { device, ...payload }));

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const told = JSON.parse(line);
  if (told.call) client[told.call](...(told.args ?? []));
  if (told.skip) client.seq += told.skip;
  if (told.die) process.kill(process.pid, "SIGKILL");
});
lines.on("close", () => process.exit(0)); // it does not outlive the test
