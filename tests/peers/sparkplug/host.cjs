// An independent reader of Sparkplug B (mqtt.js, sparkplug-payload): --port P.
// Out, a line of JSON each: {"topic", "qos", "retain", "payload"} of everything below spBv1.0/. In, likewise:
// {"topic", "payload", "retain", "qos"} to publish; the payload of a STATE topic is JSON, of others Sparkplug's.
const readline = require("node:readline");
const { parseArgs } = require("node:util");
const mqtt = require("mqtt");
const sparkplug = require("sparkplug-payload").get("spBv1.0");

const { values: asked } = parseArgs({ options: { port: { type: "string" } } });

function plain(key, value) {
  return value && value.low !== undefined ? Number(value.toString()) : value; // protobuf.js has integers of its own
}

function isState(topic) {
  return topic.startsWith("spBv1.0/STATE/");
}

const client = mqtt.connect(`mqtt://127.0.0.1:${asked.port}`, { clientId: "peer-host" });
client.on("connect", () =>
  client.subscribe("spBv1.0/#", { qos: 1 }, () => process.stdout.write(`${JSON.stringify({ ready: true })}\n`)),
);
client.on("message", (topic, message, packet) => {
  const payload = isState(topic) ? JSON.parse(message.toString()) : sparkplug.decodePayload(message);
  process.stdout.write(`${JSON.stringify({ topic, qos: packet.qos, retain: packet.retain, payload }, plain)}\n`);
});

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const told = JSON.parse(line);
  const octets = isState(told.topic) ? JSON.stringify(told.payload) : Buffer.from(sparkplug.encodePayload(told.payload));
  client.publish(told.topic, octets, { qos: told.qos ?? 0, retain: told.retain ?? false });
});
lines.on("close", () => process.exit(0)); // it does not outlive the test
