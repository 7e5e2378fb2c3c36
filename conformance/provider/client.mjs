// An OAuth client as applications use one: `oauth4webapi` discovers the provider, fetches access tokens with client
// credentials, and `jose` verifies each against the published keys before it is handed on.
//
//   node client.mjs --issuer URL [--resource https://api.example.com]
//
// Reads one JSON line a request, {"client": "reader.es256", "scope": "orders:read"}, and answers each with one line:
// {"token", "expires_in", "header", "claims"} or {"error"}. A client's secret is its name (see provider.mjs).
import { createInterface } from 'node:readline';

import { argument, load } from './modules.mjs';

const oauth = await load('oauth4webapi');
const jose = await load('jose');

const issuer = new URL(argument('issuer'));
const resource = argument('resource', 'https://api.example.com');
// Loopback only: the provider of the tests speaks plain http.
const insecure = { [oauth.allowInsecureRequests]: true };

const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
const keys = jose.createRemoteJWKSet(new URL(server.jwks_uri), { cooldownDuration: 0 });

async function fetchToken({ client: id, scope }) {
  const client = { client_id: id };
  const parameters = new URLSearchParams({ scope, resource });
  const response = await oauth.clientCredentialsGrantRequest(server, client, oauth.ClientSecretBasic(id), parameters, insecure);
  const result = await oauth.processClientCredentialsResponse(server, client, response);
  // An expired token is fetched to be refused: everything but its time is checked, at the time it was issued.
  const { iat } = jose.decodeJwt(result.access_token);
  const { payload, protectedHeader } = await jose.jwtVerify(result.access_token, keys, {
    issuer: server.issuer,
    audience: resource,
    typ: 'at+jwt',
    currentDate: new Date(iat * 1000),
  });
  return { token: result.access_token, expires_in: result.expires_in, header: protectedHeader, claims: payload };
}

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await fetchToken(JSON.parse(line)).catch((error) => ({ error: `${error.code ?? error.name}: ${error.message}` }));
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
