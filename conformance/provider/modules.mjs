// Where the npm packages are: in the directory that PORTCULLIS_NODE_MODULES names (`cargo xtask test` sets it), else where
// Node would look anyway (after `npm ci` in the folder above). ES modules ignore NODE_PATH, hence this room.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const directory = process.env.PORTCULLIS_NODE_MODULES;
const require = createRequire(directory ? pathToFileURL(`${directory.replace(/\/?$/, '/')}load.cjs`) : import.meta.url);

/** The ES module that the package `name` is. */
export function load(name) {
  return import(pathToFileURL(require.resolve(name)).href);
}

/** The value of `--name VALUE` on the command line, or `fallback`. */
export function argument(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  const value = at === -1 ? fallback : process.argv[at + 1];
  if (value === undefined) {
    process.stderr.write(`${process.argv[1]}: --${name} is missing\n`);
    process.exit(2);
  }
  return value;
}
