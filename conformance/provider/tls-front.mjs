// An https front of the provider: it ends TLS with the certificate it is given and passes requests on over loopback.
//
//   node tls-front.mjs --certificate STEM --target PORT       # STEM.pem and STEM.key
//
// Prints one JSON line when it listens: {"port"}.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

import { argument } from './modules.mjs';

const HOST = '127.0.0.1';
const stem = argument('certificate');
const target = Number(argument('target'));

const server = https.createServer({ cert: readFileSync(`${stem}.pem`), key: readFileSync(`${stem}.key`) }, (request, response) => {
  const { method, url: path, headers } = request;
  const onward = http.request({ host: HOST, port: target, method, path, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  request.pipe(onward);
});
// A handshake that the client breaks off is what some tests are about.
server.on('tlsClientError', () => {});
server.listen(0, HOST);
await once(server, 'listening');
process.stdin.on('end', () => process.exit(0)).resume();
process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
