/**
 * Compiles src, test, bench and scripts into dist when anything there is newer than the last good build, and copies what
 * is served as it is: the page of the admin port.
 * Called by setup.mjs and by `npm run build`. After it, dist holds exactly what the sources say: the output of deleted
 * or renamed sources is removed first, so that no test of yesterday runs today.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const STAMP = join(DIST, '.built');
const ENTRY = join(DIST, 'src/main.js');
const SOURCE_FOLDERS = ['src', 'test', 'bench', 'scripts'];
const PAGE = 'src/control/admin/page';
const SETTINGS = ['tsconfig.json', 'package-lock.json'];

/** Builds when needed; true when dist is good afterwards. The compiler's errors go to the terminal. */
export function build() {
  const compiled = SOURCE_FOLDERS.flatMap((folder) => filesUnder(join(ROOT, folder), '.ts'));
  const sources = [...compiled, ...filesUnder(join(ROOT, PAGE), '')];
  const stale = staleOutputs(sources);
  if (stale.length === 0 && isFresh(sources)) return true;
  for (const file of stale) rmSync(file, { force: true });
  rmSync(STAMP, { force: true });
  const startedAt = new Date();
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [compiler, '-p', ROOT], { stdio: 'inherit', cwd: ROOT });
  if (existsSync(ENTRY)) chmodSync(ENTRY, 0o755);
  cpSync(join(ROOT, PAGE), join(DIST, PAGE), { recursive: true });
  if (status === 0) writeFileSync(STAMP, startedAt.toISOString());
  return status === 0;
}

function filesUnder(folder, extension) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Files in dist whose source is gone. */
function staleOutputs(sources) {
  const wanted = new Set(sources.map(outputOf));
  const isStale = (file) => !wanted.has(file.replace(/\.map$/, ''));
  return [
    ...SOURCE_FOLDERS.flatMap((folder) => ['.js', '.js.map'].flatMap((end) => filesUnder(join(DIST, folder), end))),
    ...filesUnder(join(DIST, PAGE), ''),
  ].filter(isStale);
}

function outputOf(source) {
  return join(DIST, relative(ROOT, source)).replace(/\.ts$/, '.js');
}

function isFresh(sources) {
  if (!existsSync(STAMP)) return false;
  // A file saved while the compiler ran is newer than the start of that build, which the stamp holds.
  const builtAt = Date.parse(readFileSync(STAMP, 'utf8'));
  const inputs = [...sources, ...SETTINGS.map((file) => join(ROOT, file))];
  return (
    inputs.every((file) => statSync(file).mtimeMs < builtAt) && sources.every((file) => existsSync(outputOf(file)))
  );
}

if (process.argv[1] === import.meta.filename && !build()) process.exitCode = 1;
