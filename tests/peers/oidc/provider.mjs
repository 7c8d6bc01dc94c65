// A real OpenID provider for the tests: node provider.mjs PORT CALLBACK. Users lee (plant-engineers) and sam (nothing);
// the page's client by code and PKCE, the machine's by client credentials with JWT access tokens.
import Provider from "oidc-provider";

const [port, callback] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const GROUPS = { lee: ["plant-engineers", "everybody"], sam: [] };

const provider = new Provider(issuer, {
  clients: [
    { client_id: "fabriquay", client_secret: "page-secret", redirect_uris: [callback], grant_types: ["authorization_code"] },
    { client_id: "historian", client_secret: "machine-secret", redirect_uris: [], response_types: [], grant_types: ["client_credentials"] },
  ],
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: `${id}@example.com`, groups: GROUPS[id] ?? [] }) }),
  extraTokenClaims: () => ({ groups: ["machines"] }),
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      getResourceServerInfo: (_, resource) => ({ scope: "read", audience: resource, accessTokenFormat: "jwt", accessTokenTTL: 600 }),
    },
  },
  cookies: { keys: ["for tests only"] },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
