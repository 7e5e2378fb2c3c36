// npm `jose` as a judge: a key set and tokens come on a line, the verdicts go out on a line.
import { createInterface } from 'node:readline';
import { load } from '../../provider/modules.mjs';

const { jwtVerify, createLocalJWKSet, errors } = await load('jose');

// As text: not all that JavaScript takes for a string can be put into JSON for others.
function accepted(payload) {
  return { claims: JSON.stringify(payload) };
}

async function verdict(token, getKey, options) {
  try {
    const { payload } = await jwtVerify(token, getKey, options);
    return accepted(payload);
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    // As its documentation says: several keys fit, and each is tried.
    for await (const key of error) {
      try {
        const { payload } = await jwtVerify(token, key, options);
        return accepted(payload);
      } catch (inner) {
        if (!(inner instanceof errors.JWSSignatureVerificationFailed)) throw inner;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

function told(error) {
  return { error: `${error.code ?? error.name}: ${error.message}` };
}

async function judge({ set, secret, tokens, options }) {
  let getKey;
  try {
    getKey = secret === undefined ? createLocalJWKSet(JSON.parse(set)) : Buffer.from(secret, 'base64url');
  } catch (error) {
    return tokens.map(() => ({ error: `set: ${error.message}` }));
  }
  const verdicts = [];
  for (const token of tokens) {
    const bytes = new Uint8Array(Buffer.from(token, 'base64url'));
    verdicts.push(await verdict(bytes, getKey, options).catch(told));
  }
  return verdicts;
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  process.stdout.write(`${JSON.stringify(await judge(JSON.parse(line)))}\n`);
}
