// An independent OPC UA server (node-opcua): --port P --log FILE [--items N] [--hz F] [--limit items per call].
// --security FOLDER: with FOLDER/server.pem and server-key.pem, secured endpoints only, for the user edge (password secret)
// and for user certificates in FOLDER/users; --policies A,B and --modes A,B narrow what it offers, --wary: it accepts
// no client that nobody has moved from keys/rejected to keys/trusted/certs beside the log.
// Writes each tick to the log, "<source time in ns> <count>", before any of its nodes has the value count + n / 1000.
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
} = require("node-opcua");

const { values: asked } = parseArgs({
  options: {
    port: { type: "string" },
    log: { type: "string" },
    items: { type: "string", default: "20" },
    hz: { type: "string", default: "10" },
    limit: { type: "string", default: "0" },
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
    serverCapabilities: { operationLimits: perCall ? { maxMonitoredItemsPerCall: perCall } : {} },
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
  const log = fs.openSync(asked.log, "a");
  let count = 0;
  let last = 0;
  function tick() {
    const now = new Date(Math.max(Date.now(), last + 1));
    last = now.getTime();
    count += 1;
    fs.writeSync(log, `${last}000000 ${count}\n`);
    nodes.forEach((node, number) =>
      node.setValueFromSource({ dataType: DataType.Double, value: count + number / 1000 }, StatusCodes.Good, now),
    );
  }
  tick();
  setInterval(tick, 1000 / Number(asked.hz));
  await server.start();
  console.log(`ready ${asked.port}`);
}

main();
