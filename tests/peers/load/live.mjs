// Many WebSocket clients of the live feed, on `ws`, with their latencies in an HDR histogram: neither knows this project.
// In: address, clients, seconds of warming up, seconds of counting. Out: one JSON object on standard output.
// A frame's latency: its arrival less the newest `at` in it, which the publisher has set when it published.
import { build } from "hdr-histogram-js";
import WebSocket from "ws";

const [address, clients, warmS, countS] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const latency = build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
const AT = Buffer.from('"at":"');
let [frames, lost, counting] = [0, 0, false];

const open = () => new Promise((done, failed) => {
  const socket = new WebSocket(address, { perMessageDeflate: false, maxPayload: 1 << 24 });
  socket.on("open", () => { socket.send('{"subscribe":{"signals":false,"interval_ms":100}}'); done(socket); });
  socket.on("error", failed);
  socket.on("close", () => { lost += counting; });
  socket.on("message", frame => {
    if (!counting || !frame.includes('"type":"states"')) return;
    const now = performance.timeOrigin + performance.now();
    const place = frame.lastIndexOf(AT) + AT.length;
    const age = now - Date.parse(frame.toString("latin1", place, frame.indexOf(0x22, place)));
    frames++;
    latency.recordValue(Math.max(1, Math.round(age * 1000)));
  });
});

const sockets = [];
for (let begun = 0; begun < clients; begun += 50)
  sockets.push(...await Promise.all(Array.from({ length: Math.min(50, clients - begun) }, open)));
await new Promise(done => setTimeout(done, warmS * 1000));
counting = true;
await new Promise(done => setTimeout(done, countS * 1000));
counting = false;
const at = percent => latency.getValueAtPercentile(percent) / 1000;
process.stdout.write(JSON.stringify({
  clients: sockets.length, lost, frames, frames_per_s: frames / countS / sockets.length, p50_ms: at(50), p99_ms: at(99), most_ms: latency.maxValue / 1000,
}));
process.exit(0);
