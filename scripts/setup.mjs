/**
 * Makes a fresh clone ready to run: dependencies, build, redis-server. Called first by every npm script, so it is quiet
 * and quick when there is nothing to do. Plain node without dependencies, as none may be installed yet.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const SERVERS = ['redis-server', 'valkey-server'];
const HOW_TO_INSTALL =
  'Cannot find redis-server or valkey-server on PATH: install one, for example "apt-get install redis-server" or "brew install redis"';

/**
 * Debian starts and enables what it installs; we only want the binary. policy-rc.d is Debian's own way to say so
 * (101: action forbidden); one that is there already is left alone.
 */
const INSTALL_WITH_APT = `
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  printf '#!/bin/sh\\nexit 101\\n' > $policy
  chmod 755 $policy
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends redis-server redis-tools
if command -v systemctl > /dev/null; then systemctl disable redis-server > /dev/null 2>&1 || true; fi
`;

async function main() {
  if (!isNodeNewEnough()) return fail(`Cannot run on Node.js ${process.versions.node}: 20.19 or newer is needed`);
  if (!areDependenciesInstalled()) {
    console.error('setup: installing dependencies (npm ci)');
    if (!succeeds('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']))
      return fail('Cannot install dependencies: npm ci failed');
  }
  // Imported late: build.mjs needs the compiler that npm ci has just installed.
  const { build } = await import('./build.mjs');
  if (!build()) return fail('Cannot build: the compiler found errors (above)');
  if (!SERVERS.some(isOnPath)) installServer();
}

function isNodeNewEnough() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 20 || (major === 20 && minor >= 19);
}

/** Whether node_modules holds what the lock file says: npm keeps its own record of what it installed. */
function areDependenciesInstalled() {
  const record = join(ROOT, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return false;
  const wanted = packagesIn(join(ROOT, 'package-lock.json'));
  const installed = packagesIn(record);
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '' || (optional && installed[path] === undefined)) return true;
    return installed[path]?.version === version;
  });
}

function packagesIn(lockFile) {
  return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
}

function installServer() {
  const asRoot = rootPrefix();
  if (asRoot === undefined || !isOnPath('apt-get')) return fail(HOW_TO_INSTALL);
  console.error('setup: installing redis-server with apt-get');
  const [command, ...rest] = [...asRoot, 'sh', '-c', INSTALL_WITH_APT];
  if (!succeeds(command, rest) || !SERVERS.some(isOnPath)) fail(HOW_TO_INSTALL);
}

/** What to put before a command to run it as root; undefined when that takes a password. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  return isOnPath('sudo') && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0
    ? ['sudo', '-n']
    : undefined;
}

function isOnPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Runs a command with its output on stderr, so that stdout stays that of the program which follows. */
function succeeds(command, args) {
  return spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] }).status === 0;
}

function fail(message) {
  console.error(message);
  process.exitCode = 1;
}

await main();
