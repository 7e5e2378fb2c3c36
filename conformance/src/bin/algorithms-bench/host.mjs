// A Proxy-Wasm host for one filter in V8, with as little beside the filter as can be, that times its callbacks.
//
//   node --no-liftoff --no-wasm-lazy-compilation host.mjs < question.json > answer.json
//
// `algorithms-bench` asks and reads the answer. All times are microseconds, the least of all rounds.
import { readFileSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';

const question = JSON.parse(readFileSync(0, 'utf8'));
const compiled = new WebAssembly.Module(readFileSync(question.wasm));

// Proxy-Wasm 0.2.1: statuses, kinds of buffers.
const OK = 0;
const NOT_FOUND = 1;
const BAD_ARGUMENT = 2;
const WARNING = 3;
const CALL_RESPONSE_BODY = 4;
const PLUGIN_CONFIGURATION = 7;
const ROOT = 1;

const micros = (work) => {
  const begun = performance.now();
  const result = work();
  return [(performance.now() - begun) * 1000, result];
};

/** Pairs as the ABI has them: their number, all lengths, then names and values, each ended by a zero. */
function pairs(entries) {
  const texts = entries.map(([name, value]) => [Buffer.from(name), Buffer.from(value)]);
  const lengths = Buffer.alloc(4 + texts.length * 8);
  lengths.writeUInt32LE(texts.length, 0);
  texts.forEach(([name, value], at) => {
    lengths.writeUInt32LE(name.length, 4 + at * 8);
    lengths.writeUInt32LE(value.length, 8 + at * 8);
  });
  const zero = Buffer.alloc(1);
  return Buffer.concat([lengths, ...texts.flatMap(([name, value]) => [name, zero, value, zero])]);
}

/** One VM with the filter. */
class Vm {
  constructor(document) {
    this.configuration = Buffer.from(document);
    this.stream = ROOT;
    this.metrics = 0;
    this.call = 0;
    const env = {};
    // What is not answered here succeeds and does nothing.
    for (const wanted of WebAssembly.Module.imports(compiled)) {
      env[wanted.name] = this[wanted.name]?.bind(this) ?? (() => OK);
    }
    const instance = new WebAssembly.Instance(compiled, { env, wasi_snapshot_preview1: env });
    this.exports = instance.exports;
    this.exports._initialize?.();
    this.exports.proxy_on_context_create(ROOT, 0);
    if (!this.exports.proxy_on_configure(ROOT, this.configuration.length)) throw new Error('the document is refused');
  }

  view() {
    return new DataView(this.exports.memory.buffer);
  }

  bytes(at, length) {
    return new Uint8Array(this.exports.memory.buffer, at, length);
  }

  give(content, at, length) {
    const place = this.exports.proxy_on_memory_allocate(content.length);
    this.bytes(place, content.length).set(content);
    this.view().setUint32(at, place, true);
    this.view().setUint32(length, content.length, true);
    return OK;
  }

  proxy_log(level, at, length) {
    if (level >= WARNING) throw new Error(Buffer.from(this.bytes(at, length)).toString());
    return OK;
  }

  proxy_get_current_time_nanoseconds(at) {
    this.view().setBigUint64(at, BigInt(question.now) * 1_000_000_000n, true);
    return OK;
  }

  clock_time_get(_clock, _precision, at) {
    return this.proxy_get_current_time_nanoseconds(at);
  }

  random_get(at, length) {
    randomFillSync(this.bytes(at, length));
    return OK;
  }

  environ_sizes_get(count, size) {
    this.view().setUint32(count, 0, true);
    this.view().setUint32(size, 0, true);
    return OK;
  }

  /** Only contexts that there are; a filter may ask, to learn whether the host can switch. */
  proxy_set_effective_context(context) {
    return context >= ROOT && context <= this.stream ? OK : BAD_ARGUMENT;
  }

  proxy_get_buffer_bytes(kind, _from, _most, at, length) {
    if (kind === PLUGIN_CONFIGURATION) return this.give(this.configuration, at, length);
    if (kind === CALL_RESPONSE_BODY) return this.give(this.body, at, length);
    return NOT_FOUND;
  }

  proxy_get_header_map_pairs(_map, at, length) {
    return this.give(this.headers, at, length);
  }

  proxy_get_property(_path, _pathLength, at, length) {
    return this.give(Buffer.from('127.0.0.1:54321'), at, length);
  }

  proxy_define_metric(_kind, _name, _nameLength, at) {
    this.metrics += 1;
    this.view().setUint32(at, this.metrics, true);
    return OK;
  }

  proxy_call_foreign_function() {
    return NOT_FOUND;
  }

  proxy_get_shared_data() {
    return NOT_FOUND;
  }

  proxy_http_call(...rest) {
    this.call += 1;
    this.view().setUint32(rest.at(-1), this.call, true);
    return OK;
  }

  proxy_send_local_response(status, _details, _detailsLength, body, length) {
    this.refused = `${status} ${Buffer.from(this.bytes(body, length))}`;
    return OK;
  }

  tick() {
    this.exports.proxy_on_tick(ROOT);
  }

  /** Microseconds of the callback that judges a request with this head. */
  request(head) {
    this.headers = head;
    this.stream += 1;
    this.exports.proxy_on_context_create(this.stream, ROOT);
    const [time, action] = micros(() => this.exports.proxy_on_request_headers(this.stream, head.readUInt32LE(0), 1));
    this.exports.proxy_on_delete(this.stream);
    if (action !== 0 || this.refused) throw new Error(`a token is refused: ${this.refused}`);
    return time;
  }

  /** Microseconds of the callback that takes the answer to the last call. */
  answer(body) {
    if (this.call === 0) throw new Error('nothing is fetched');
    this.headers = pairs([[':status', '200'], ['content-type', 'application/json']]);
    this.body = Buffer.from(body);
    return micros(() => this.exports.proxy_on_http_call_response(ROOT, this.call, 2, this.body.length, 0))[0];
  }
}

const REQUESTS = 20;

function subject({ document, crowded, tokens, ticks }) {
  const heads = tokens.map((token) =>
    pairs([
      [':authority', 'api.example.com'],
      [':path', '/orders/42'],
      [':method', 'GET'],
      [':scheme', 'https'],
      ['authorization', `Bearer ${token}`],
    ]),
  );
  const least = (vm) => Math.min(...Array.from({ length: REQUESTS }, (_, at) => vm.request(heads[at % heads.length])));
  const times = { plain: Infinity, tabled: Infinity, making: Infinity, longest: Infinity };
  for (let round = 0; round < question.rounds; round += 1) {
    times.plain = Math.min(times.plain, least(new Vm(crowded)));
    const vm = new Vm(document);
    const making = Array.from({ length: ticks }, () => micros(() => vm.tick())[0]);
    times.making = Math.min(times.making, making.reduce((sum, time) => sum + time, 0));
    times.longest = Math.min(times.longest, Math.max(0, ...making));
    times.tabled = Math.min(times.tabled, least(vm));
  }
  return times;
}

function set({ document, body }) {
  return Math.min(...Array.from({ length: question.rounds }, () => new Vm(document).answer(body)));
}

process.stdout.write(
  JSON.stringify({
    v8: process.versions.v8,
    subjects: question.subjects.map(subject),
    sets: question.sets.map(set),
  }),
);
