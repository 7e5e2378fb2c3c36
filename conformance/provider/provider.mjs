// A certified OpenID provider (npm `oidc-provider`) as the issuer of the Envoy tests: client credentials, JWT access
// tokens (RFC 9068) for one resource (RFC 8707), keys that rotate while traffic flows. Loopback only.
//
//   node provider.mjs --keys FILE [--port 0] [--resource https://api.example.com]
//
// Prints one JSON line when it listens: {"issuer", "port", "control"}. `control` is the port of a second server:
//   POST /rotate/{publish,use,retire}   one step of a key rotation; answers {"published": [kid…], "signing": {alg: kid}}
//   GET  /counts                        {"jwks": [ms…], "token": N}: when the key set was asked for (by anyone but the
//                                       client's `jose`), how many tokens were
//
// Clients, for each ALG of es256, rs256, eddsa (the secret of each is its own name):
//   reader.ALG orders:read · writer.ALG orders:read orders:write · brief.ALG tokens of 5 s · late.ALG expired tokens
import { once } from 'node:events';
import http from 'node:http';

import { ALGORITHMS, KeyStore } from './keystore.mjs';
import { argument, load } from './modules.mjs';

const HOST = '127.0.0.1';
const SCOPES = 'orders:read orders:write';
const BRIEF_SECONDS = 5;
const LATE_SECONDS = 3600;

// It warns about the Node release and its in-memory store. What matters is thrown.
for (const level of ['info', 'log', 'warn']) console[level] = () => {};

const { Provider, errors } = await load('oidc-provider');
const resource = argument('resource', 'https://api.example.com');
const store = await KeyStore.open(argument('keys'));

const roles = { reader: 'orders:read', writer: SCOPES, brief: SCOPES, late: SCOPES };
const clients = ALGORITHMS.flatMap((alg) => Object.entries(roles).map(([role, scope]) => ({
  client_id: `${role}.${alg.toLowerCase()}`,
  client_secret: `${role}.${alg.toLowerCase()}`,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  scope,
})));

function algorithmOf(clientId) {
  const [, name] = clientId.split('.');
  return ALGORITHMS.find((alg) => alg.toLowerCase() === name);
}

/** `oidc-provider` reads its keys once, so a rotation is a new instance behind the same server. */
function build(issuer) {
  return new Provider(issuer, {
    clients,
    jwks: { keys: store.keys },
    scopes: SCOPES.split(' '),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(_ctx, wanted, client) {
          if (wanted !== resource) throw new errors.InvalidTarget();
          const alg = algorithmOf(client.clientId);
          return {
            audience: resource,
            scope: SCOPES,
            accessTokenFormat: 'jwt',
            accessTokenTTL: client.clientId.startsWith('brief.') ? BRIEF_SECONDS : 600,
            jwt: { sign: { alg, kid: store.signing[alg] } },
          };
        },
      },
    },
    formats: {
      customizers: {
        jwt(_ctx, token, jwt) {
          if (!token.clientId.startsWith('late.')) return;
          jwt.payload.iat -= 2 * LATE_SECONDS;
          jwt.payload.exp = jwt.payload.iat + LATE_SECONDS;
        },
      },
    },
    enabledJWA: { idTokenSigningAlgValues: ALGORITHMS },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
  }).callback();
}

const counts = { jwks: [], token: 0 };
let answer;
const server = http.createServer((request, response) => {
  const ours = request.headers['user-agent']?.startsWith('jose/');
  if (request.url === '/jwks' && !ours) counts.jwks.push(Date.now());
  if (request.url === '/token') counts.token += 1;
  answer(request, response);
});
server.listen(Number(argument('port', '0')), HOST);
await once(server, 'listening');
const { port } = server.address();
const issuer = `http://${HOST}:${port}`;
answer = build(issuer);

const control = http.createServer(async (request, response) => {
  const send = (status, body) => response
    .writeHead(status, { 'content-type': 'application/json', connection: 'close' })
    .end(JSON.stringify(body));
  try {
    if (request.method === 'GET' && request.url === '/counts') return send(200, counts);
    const step = request.method === 'POST' && request.url.match(/^\/rotate\/(\w+)$/)?.[1];
    if (!step) return send(404, { error: 'no such control' });
    await store.rotate(step);
    answer = build(issuer);
    return send(200, { published: store.keys.map(({ kid }) => kid), signing: store.signing });
  } catch (error) {
    return send(500, { error: String(error) });
  }
});
control.listen(0, HOST);
await once(control, 'listening');

// Whoever started this provider holds its standard input: it ends when they do, whatever became of them.
process.stdin.on('end', () => process.exit(0)).resume();
process.stdout.write(`${JSON.stringify({ issuer, port, control: control.address().port })}\n`);
