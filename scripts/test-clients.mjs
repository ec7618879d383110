/**
 * `npm run test:clients`: real clients of other languages against evalgate, one program each in test/clients/<language>.
 * `node scripts/test-clients.mjs go rust` runs only these.
 *
 * A program is fetched and built while others run; they run one after the other, against one cluster of three masters
 * and two evalgates (the default config, and profile `safe`), whose addresses are in its environment. It prints
 * `ok NAME` or `failed NAME: why` for each check. A language without its toolchain, or whose packages cannot be fetched
 * because the registry cannot be reached, is skipped with the reason. What was fetched and built stays in
 * .cache/clients.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const SOURCES = join(ROOT, 'test/clients');
const CACHE = join(ROOT, '.cache/clients');
const STEP_LIMIT_MS = 8 * 60_000;
const RUN_LIMIT_MS = 2 * 60_000;
const BUILDS_AT_A_TIME = 2;
const SHOWN_OUTPUT_CHARS = 4000;

const pythonIn = join(CACHE, 'python/bin/python');
const classpathFile = join(CACHE, 'java/classpath');

/**
 * `tools`: what has to be on PATH. `registry`: where `fetch` gets packages from. Steps are commands with arguments, run
 * in the folder of the language.
 */
const LANGUAGES = {
  python: {
    tools: ['python3'],
    registry: 'https://pypi.org/simple/redis/',
    fetch: [
      ['python3', '-m', 'venv', join(CACHE, 'python')],
      [
        pythonIn,
        '-m',
        'pip',
        'install',
        '-q',
        '--disable-pip-version-check',
        '--require-hashes',
        '-r',
        'requirements.txt',
      ],
    ],
    build: [],
    run: () => [pythonIn, 'main.py'],
  },
  go: {
    tools: ['go'],
    registry: 'https://proxy.golang.org/github.com/redis/go-redis/v9/@v/list',
    fetch: [['go', 'mod', 'download']],
    build: [['go', 'build', '-o', join(CACHE, 'go/client'), '.']],
    run: () => [join(CACHE, 'go/client')],
  },
  java: {
    tools: ['java', 'mvn'],
    registry: 'https://repo.maven.apache.org/maven2/org/redisson/redisson/maven-metadata.xml',
    fetch: [['mvn', '-B', '-q', 'dependency:build-classpath', `-Dmdep.outputFile=${classpathFile}`]],
    build: [['mvn', '-B', '-q', 'compile', `-Dbuild.folder=${join(CACHE, 'java')}`]],
    run: () => [
      'java',
      '-cp',
      `${join(CACHE, 'java/classes')}:${readFileSync(classpathFile, 'utf8').trim()}`,
      'evalgate.Main',
    ],
  },
  rust: {
    tools: ['cargo'],
    registry: 'https://index.crates.io/re/di/redis',
    fetch: [['cargo', 'fetch', '--quiet', '--locked']],
    build: [['cargo', 'build', '--quiet', '--locked', '--target-dir', join(CACHE, 'rust')]],
    run: () => [join(CACHE, 'rust/debug/evalgate-test-client')],
  },
};

const totals = { passed: 0, failed: 0, skipped: 0 };

async function main(words) {
  const names = Object.keys(LANGUAGES).filter((name) => words.length === 0 || words.includes(name));
  const stand = await startStand();
  try {
    const queue = [...names];
    let lastRun = Promise.resolve();
    const worker = async () => {
      for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
        const language = name;
        const ready = await prepare(language);
        if (ready) lastRun = lastRun.then(() => run(language, stand.environment));
      }
    };
    await Promise.all(Array.from({ length: BUILDS_AT_A_TIME }, worker));
    await lastRun;
  } finally {
    await stand.stop();
  }
  if (totals.failed > 0) process.exitCode = 1;
  const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : '';
  console.log(`${totals.passed} passed, ${totals.failed} failed${skipped}`);
}

async function startStand() {
  const { LocalCluster } = await import('../dist/src/control/local-cluster.js');
  const { startProxy } = await import('../dist/test/support/gateway.js');
  const cluster = await LocalCluster.start({ masters: 3, replicas: 0, nodeTimeoutMs: 15_000 });
  const proxy = await startProxy(cluster);
  const safe = await startProxy(cluster, {
    scripting: { script_check_profile: 'safe', keyless_scripts: 'route' },
  });
  return {
    environment: {
      EVALGATE_ADDRESS: `127.0.0.1:${proxy.address.port}`,
      EVALGATE_SAFE_ADDRESS: `127.0.0.1:${safe.address.port}`,
      EVALGATE_NODES: cluster.seeds.join(','),
    },
    stop: async () => {
      await Promise.all([proxy.stop(), safe.stop()]);
      await cluster.stop();
    },
  };
}

/** Fetches and builds; false when there is nothing to run, which has been counted and told then. */
async function prepare(name) {
  const { tools, registry, fetch: fetchSteps, build } = LANGUAGES[name];
  const missing = tools.find((tool) => spawnSync('which', [tool]).status !== 0);
  if (missing !== undefined) return skip(name, `${missing} is not on PATH`);
  mkdirSync(join(CACHE, name), { recursive: true });
  const startedAt = Date.now();
  for (const step of fetchSteps) {
    const { code, output } = await command(name, step, STEP_LIMIT_MS);
    if (code === 0) continue;
    if (!(await isReachable(registry))) return skip(name, `${new URL(registry).host} cannot be reached`);
    return fail(name, `${step.slice(0, 3).join(' ')} failed`, output);
  }
  for (const step of build) {
    const { code, output } = await command(name, step, STEP_LIMIT_MS);
    if (code !== 0) return fail(name, `${step.slice(0, 3).join(' ')} failed`, output);
  }
  console.log(`built ${name} (${seconds(startedAt)} s)`);
  return true;
}

async function isReachable(url) {
  try {
    await fetch(url, { signal: AbortSignal.timeout(10_000) });
    return true;
  } catch {
    return false;
  }
}

async function run(name, environment) {
  const startedAt = Date.now();
  const { code, output } = await command(name, LANGUAGES[name].run(), RUN_LIMIT_MS, environment);
  const checks = output.split('\n').filter((line) => /^(ok|failed) /.test(line));
  const passed = checks.filter((line) => line.startsWith('ok ')).length;
  for (const line of checks) console.log(line.replace(' ', ` ${name}: `));
  totals.passed += passed;
  totals.failed += checks.length - passed;
  if (code !== 0) fail(name, `the program ended with ${code}`, output);
  else if (checks.length === 0) fail(name, 'the program checked nothing', output);
  console.log(`ran ${name} (${seconds(startedAt)} s)`);
}

/** Resolves to the exit code, or the signal that ended it, and all it wrote. */
function command(name, [program, ...args], limitMs, environment = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: join(SOURCES, name),
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: limitMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    const keep = (chunk) => {
      output += chunk;
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.once('error', (error) => resolve({ code: error.message, output }));
    child.once('close', (code, signal) => resolve({ code: code ?? signal, output }));
  });
}

function skip(name, reason) {
  totals.skipped++;
  console.log(`skipped ${name}: ${reason}`);
  return false;
}

function fail(name, reason, output) {
  totals.failed++;
  console.log(`failed ${name}: ${reason}\n${output.slice(-SHOWN_OUTPUT_CHARS)}`);
  return false;
}

function seconds(startedAt) {
  return ((Date.now() - startedAt) / 1000).toFixed(1);
}

if (!existsSync(join(ROOT, 'dist/src'))) throw new Error('there is no build: npm run test:clients builds first');
await main(process.argv.slice(2));
