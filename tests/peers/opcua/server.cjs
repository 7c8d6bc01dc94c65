// An independent OPC UA server (node-opcua): --port P --log FILE [--items N] [--hz F] [--limit items per call]
// [--history values kept per node] [--per-subscription items] [--subscriptions per session] [--model] [--alarms].
// --security FOLDER: with FOLDER/server.pem and server-key.pem, secured endpoints only, for the user edge (password secret)
// and for user certificates in FOLDER/users; --policies A,B and --modes A,B narrow what it offers, --wary: it accepts
// no client that nobody has moved from keys/rejected to keys/trusted/certs beside the log.
// Writes each tick to the log, "<source time in ns> <count>", before any of its nodes has the value count + n / 1000;
// with --walk it has the value of a sensor instead, late ticks are made up for, and --at-once N changes N nodes in turn.
const fs = require("node:fs");
const path = require("node:path");
const { parseArgs } = require("node:util");
const {
  DataType,
  MessageSecurityMode,
  OPCUACertificateManager,
  OPCUAServer,
  SecurityPolicy,
  StatusCodes,
  VariantArrayType,
  standardUnits,
} = require("node-opcua");

const { values: asked } = parseArgs({
  options: {
    port: { type: "string" },
    log: { type: "string" },
    items: { type: "string", default: "20" },
    hz: { type: "string", default: "10" },
    walk: { type: "boolean", default: false },
    "at-once": { type: "string", default: "0" }, // 0: all
    limit: { type: "string", default: "0" },
    history: { type: "string", default: "0" },
    "per-subscription": { type: "string", default: "100000" },
    alarms: { type: "boolean", default: false }, // a limit alarm that comes and goes
    model: { type: "boolean", default: false }, // a press with units, ranges, states, an array and more
    subscriptions: { type: "string", default: "10" },
    security: { type: "string" },
    policies: { type: "string", default: "Basic256Sha256,Aes128_Sha256_RsaOaep,Aes256_Sha256_RsaPss" },
    modes: { type: "string", default: "Sign,SignAndEncrypt" },
    wary: { type: "boolean", default: false },
  },
});

async function secured(folder) {
  if (!folder) return {};
  const users = new OPCUACertificateManager({ rootFolder: path.join(path.dirname(asked.log), "users-pki") });
  await users.initialize();
  const known = path.join(folder, "users");
  for (const name of fs.existsSync(known) ? fs.readdirSync(known) : []) {
    await users.trustCertificate(fs.readFileSync(path.join(known, name)));
  }
  return {
    certificateFile: path.join(folder, "server.pem"),
    privateKeyFile: path.join(folder, "server-key.pem"),
    serverInfo: { applicationUri: "urn:fabriquay:server" },
    securityPolicies: asked.policies.split(",").map((name) => SecurityPolicy[name]),
    securityModes: asked.modes.split(",").map((name) => MessageSecurityMode[name]),
    allowAnonymous: false,
    userManager: { isValidUser: (name, password) => name === "edge" && password === "secret" },
    userCertificateManager: users,
  };
}

// A process that drifts, with noise, read by five kinds of sensors: [middle, swing, steps per unit].
const SENSORS = [[20, 10, 10], [4, 1.5, 100], [1500, 200, 1], [0.8, 0.3, 1000], [55, 15, 20]];

function walkers(count) {
  let seed = 1;
  const chance = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5;
  const level = new Float64Array(count);
  return (number) => {
    const [middle, swing, steps] = SENSORS[number % SENSORS.length];
    level[number] = 0.95 * level[number] + chance();
    return Math.round((middle + swing * (0.3 * level[number] + 0.07 * chance())) * steps) / steps;
  };
}

function addPress(namespace, objects) {
  const line = namespace.addObject({ organizedBy: objects, browseName: "Line1", nodeId: "s=Line1" });
  const press = namespace.addObject({ componentOf: line, browseName: "Press3", nodeId: "s=Line1.Press3" });
  press.addReference({ referenceType: "Organizes", nodeId: line }); // a loop
  const add = (name, dataType, value, more = {}) =>
    namespace.addVariable({ componentOf: press, browseName: name, nodeId: `s=Press3.${name}`, dataType, value: { dataType, value }, ...more });
  namespace.addAnalogDataItem({
    componentOf: press,
    browseName: "OilTemperature",
    nodeId: "s=Press3.OilTemperature",
    dataType: "Double",
    description: "Oil in the tank",
    engineeringUnitsRange: { low: -20, high: 120 },
    engineeringUnits: standardUnits.degree_celsius,
    value: { dataType: DataType.Double, value: 41.5 },
  });
  namespace.addMultiStateDiscrete({
    componentOf: press,
    browseName: "Mode",
    nodeId: "s=Press3.Mode",
    enumStrings: ["off", "running", "set-up"],
    value: 1,
  });
  add("PartsCount", DataType.UInt32, 1234);
  add("Running", DataType.Boolean, true, { minimumSamplingInterval: 2500 });
  add("Program", DataType.String, "P-17\n# no: yaml");
  add("Positions", DataType.Double, [1, 2, 3], { valueRank: 1, arrayDimensions: [3], value: { dataType: DataType.Double, arrayType: VariantArrayType.Array, value: new Float64Array([1, 2, 3]) } });
  add("Secret", DataType.Double, 1, { userAccessLevel: "CurrentWrite" });
}

function addAlarm(space, namespace) {
  space.installAlarmsAndConditionsService();
  const tank = namespace.addObject({
    organizedBy: space.rootFolder.objects,
    browseName: "Tank",
    notifierOf: space.rootFolder.objects.server,
  });
  const level = namespace.addVariable({
    componentOf: tank,
    browseName: "Level",
    nodeId: "s=Tank.Level",
    dataType: "Double",
    eventSourceOf: tank,
    value: { dataType: DataType.Double, value: 40 },
  });
  namespace.instantiateExclusiveLimitAlarm("ExclusiveLimitAlarmType", {
    browseName: "TankTooFull",
    componentOf: tank,
    conditionSource: level,
    inputNode: level,
    lowLowLimit: -20,
    lowLimit: -10,
    highLimit: 60,
    highHighLimit: 100,
  });
  let full = false;
  const turn = () => {
    full = !full;
    level.setValueFromSource({ dataType: DataType.Double, value: full ? 80 : 40 });
  };
  turn();
  setInterval(turn, 700);
}

async function main() {
  process.stdin.on("end", () => process.exit(0)).resume(); // it does not outlive the test
  const keys = path.join(path.dirname(asked.log), "keys");
  const certificates = new OPCUACertificateManager({ automaticallyAcceptUnknownCertificate: !asked.wary, rootFolder: keys });
  await certificates.initialize();
  const perCall = Number(asked.limit);
  const server = new OPCUAServer({
    port: Number(asked.port),
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    resourcePath: "/test",
    serverCertificateManager: certificates,
    ...(await secured(asked.security)),
    serverCapabilities: {
      maxMonitoredItemsPerSubscription: Number(asked["per-subscription"]),
      maxSubscriptionsPerSession: Number(asked.subscriptions),
      operationLimits: perCall ? { maxMonitoredItemsPerCall: perCall } : {},
    },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const namespace = space.registerNamespace("urn:fabriquay:test");
  const folder = namespace.addObject({ organizedBy: space.rootFolder.objects, browseName: "Machine" });
  const nodes = Array.from({ length: Number(asked.items) }, (_, number) =>
    namespace.addVariable({
      componentOf: folder,
      browseName: `v${number}`,
      nodeId: `s=v${number}`,
      dataType: "Double",
      minimumSamplingInterval: 0, // it tells of each change
    }),
  );
  if (asked.alarms) addAlarm(space, namespace);
  if (asked.model) addPress(namespace, space.rootFolder.objects);
  if (Number(asked.history)) {
    nodes.forEach((node) => space.installHistoricalDataNode(node, { maxOnlineValues: Number(asked.history) }));
  }
  const log = fs.openSync(asked.log, "a");
  const walk = asked.walk ? walkers(nodes.length) : null;
  const several = Number(asked["at-once"]);
  const changes = (number) =>
    !several || count === 1 || Math.floor(number / several) === count % Math.ceil(nodes.length / several);
  let count = 0;
  let last = 0;
  function tick() {
    const now = new Date(Math.max(Date.now(), last + 1));
    last = now.getTime();
    count += 1;
    fs.writeSync(log, `${last}000000 ${count}\n`);
    nodes.forEach((node, number) => {
      if (!changes(number)) return;
      node.setValueFromSource({ dataType: DataType.Double, value: walk ? walk(number) : count + number / 1000 }, StatusCodes.Good, now);
    });
  }
  const period = 1000 / Number(asked.hz);
  let due = Date.now();
  function steadily() {
    tick();
    due = Math.max(due + period, Date.now() - 60_000);
    setTimeout(steadily, Math.max(0.7 * period, due - Date.now())); // it leaves out what changes within 50 ms
  }
  tick();
  if (walk) steadily();
  else setInterval(tick, period);
  await server.start();
  console.log(`ready ${asked.port}`);
}

main();
