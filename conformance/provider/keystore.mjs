// The provider's signing keys, kept in a file so that a killed and restarted provider is still the same issuer.
//
// A rotation has three steps, as operators do it: a new key is *published* beside the old one, then *used* to sign, then
// the old one is *retired*. Each step rewrites the file and returns the whole new state.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

import { load } from './modules.mjs';

const { calculateJwkThumbprint, exportJWK, generateKeyPair } = await load('jose');

/** The algorithms that every generation of keys covers. */
export const ALGORITHMS = ['ES256', 'RS256', 'EdDSA'];

async function newKey(alg) {
  const options = { extractable: true, ...(alg === 'EdDSA' && { crv: 'Ed25519' }) };
  const { privateKey } = await generateKeyPair(alg === 'EdDSA' ? 'Ed25519' : alg, options);
  const jwk = await exportJWK(privateKey);
  return { ...jwk, alg, use: 'sig', kid: await calculateJwkThumbprint(jwk) };
}

async function newGeneration() {
  const keys = await Promise.all(ALGORITHMS.map(newKey));
  return { keys, kids: Object.fromEntries(keys.map(({ alg, kid }) => [alg, kid])) };
}

/** State: `keys`, the private JWKs whose public halves are served; `signing`, the kid in use for each algorithm. */
export class KeyStore {
  #file;

  #state;

  constructor(file, state) {
    this.#file = file;
    this.#state = state;
  }

  /** Reads the file, or creates it with a first generation of keys. */
  static async open(file) {
    if (existsSync(file)) {
      return new KeyStore(file, JSON.parse(readFileSync(file, 'utf8')));
    }
    const { keys, kids } = await newGeneration();
    const store = new KeyStore(file, undefined);
    store.#write({ keys, signing: kids, next: null });
    return store;
  }

  get keys() {
    return this.#state.keys;
  }

  get signing() {
    return this.#state.signing;
  }

  /** One step of a rotation: `publish`, `use` or `retire`. */
  async rotate(step) {
    const { keys, signing, next } = this.#state;
    switch (step) {
      case 'publish': {
        const generation = await newGeneration();
        this.#write({ keys: [...keys, ...generation.keys], signing, next: generation.kids });
        break;
      }
      case 'use':
        if (!next) throw new Error('nothing published to use');
        this.#write({ keys, signing: next, next: null });
        break;
      case 'retire': {
        const kept = new Set(Object.values(signing));
        this.#write({ keys: keys.filter(({ kid }) => kept.has(kid)), signing, next: null });
        break;
      }
      default:
        throw new Error(`no such step: ${step}`);
    }
  }

  #write(state) {
    const half = `${this.#file}.new`;
    writeFileSync(half, JSON.stringify(state), { mode: 0o600 });
    renameSync(half, this.#file);
    this.#state = state;
  }
}
