/**
 * The checks that need no test: lint and format, generated files fresh, lock file exact. `npm run ok` and `npm test`
 * run it after setup.mjs, whose build has already checked the types. Every check runs, so one run shows all there is
 * to repair.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const GENERATED_FROM_REDIS = '7.0';

const checks = [
  ['lint and format', () => runsClean('node_modules/@biomejs/biome/bin/biome', ['check', '--error-on-warnings'])],
  ['command table fresh', isCommandTableFresh],
  ['config schema and reference fresh', () => runsClean('dist/scripts/generate-schema.js', ['--check'])],
  ['command reference fresh', () => runsClean('dist/scripts/generate-command-docs.js', ['--check'])],
  ['lock file exact', isLockFileExact],
];

function runsClean(script, args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? [] : [`${stdout}${stderr}`.trimEnd()];
}

/** The shipped table is that of Redis 7.0; any other server would say something else, rightly. */
function isCommandTableFresh() {
  const { stdout } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  const version = /v=(\S+)/.exec(stdout ?? '')?.[1];
  if (version?.startsWith(`${GENERATED_FROM_REDIS}.`))
    return runsClean('dist/scripts/generate-commands.js', ['--check']);
  const found = version === undefined ? 'there is no redis-server' : `redis-server is ${version}`;
  console.log(`gate: command table not checked: it comes from redis-server ${GENERATED_FROM_REDIS}, here ${found}`);
  return [];
}

/** Exact versions only, the same in package.json and package-lock.json, and nothing left out of the lock. */
function isLockFileExact() {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const direct = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  return [
    ...direct.flatMap(([name, version]) => problemsOfDirect(name, version, packages)),
    ...Object.keys(packages).flatMap((path) => problemsOfLocked(path, packages)),
  ];
}

function problemsOfDirect(name, version, packages) {
  if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) return [`package.json: ${name} is not exact: ${version}`];
  const locked = packages[`node_modules/${name}`]?.version;
  return locked === version ? [] : [`package-lock.json: ${name} is ${locked}, package.json says ${version}`];
}

function problemsOfLocked(path, packages) {
  const { integrity, optional, optionalDependencies } = packages[path];
  // What only other platforms need may be missing in the registry that wrote the lock file, and with it the checksum;
  // the entry may not, or npm ci refuses the whole file.
  const isUnchecked = path !== '' && integrity === undefined && !optional;
  const isLocked = (name) => `${path}/node_modules/${name}` in packages || `node_modules/${name}` in packages;
  const missing = Object.keys(optionalDependencies ?? {}).filter((name) => !isLocked(name));
  return [
    ...(isUnchecked ? [`package-lock.json: ${path} has no checksum`] : []),
    ...missing.map((name) => `package-lock.json: ${name}, wanted by ${path}, is missing`),
  ];
}

for (const [name, check] of checks) {
  const problems = check();
  if (problems.length === 0) continue;
  console.error(`gate: ${name}: failed\n${problems.join('\n')}`);
  process.exitCode = 1;
}
if (!process.exitCode) console.log(`gate: ${checks.map(([name]) => name).join(', ')}: good`);
