/**
 * Runs the compiled tests and ends with the line `N passed, N failed`. `npm run ok` runs `unit`, `npm test` all;
 * `node scripts/run-tests.mjs NAME…` runs the files whose path contains one of the names.
 *
 * Every file is a process of its own: unit tests side by side, those with a real cluster two at a time (they wait more
 * than they compute), and those alone that measure how long something takes, or fill the machine. A file that crashes,
 * runs into the limit or holds no test counts as one failure.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const ROOT = join(import.meta.dirname, '..');
const TESTS = join(ROOT, 'dist/test');
const REPORTER = pathToFileURL(join(import.meta.dirname, 'test-reporter.mjs')).href;
const NEEDS_CLUSTER = /^(integration|chaos|clients)\//;
/** Clusters of files that run at the same time. */
const CLUSTERS = 2;
const NEEDS_QUIET = /\/(chaos|failover|limits|flood|max-run|slow-script|hostile-bodies|drain|page|wait)\.test\.js$/;
const FILE_LIMIT_MS = 5 * 60_000;
const SHOWN_OUTPUT_CHARS = 20_000;

const totals = { passed: 0, failed: 0, skipped: 0 };

async function main(words) {
  const files = findTests(words);
  const ofCluster = files.filter((file) => NEEDS_CLUSTER.test(file));
  const ofUnits = files.filter((file) => !NEEDS_CLUSTER.test(file));
  const quiet = ofCluster.filter((file) => NEEDS_QUIET.test(file));
  await runAll(ofUnits, availableParallelism());
  await runAll(
    ofCluster.filter((file) => !quiet.includes(file)),
    CLUSTERS,
  );
  await runAll(quiet, 1);
  const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : '';
  if (totals.failed > 0 || totals.passed === 0) process.exitCode = 1;
  console.log(`${totals.passed} passed, ${totals.failed} failed${skipped}`);
}

function findTests(words) {
  const all = existsSync(TESTS) ? readdirSync(TESTS, { recursive: true }) : [];
  const files = all.filter((file) => file.endsWith('.test.js')).sort();
  const [mode = 'all'] = words;
  if (mode === 'all') return files;
  if (mode === 'unit') return files.filter((file) => !NEEDS_CLUSTER.test(file));
  return files.filter((file) => words.some((word) => file.includes(nameOf(word))));
}

/** What is common to `test/resp/x.test.ts`, `dist/test/resp/x.test.js` and `resp/x`. */
function nameOf(word) {
  return word.replace(/^(\.\/)?(dist\/)?(test\/)?/, '').replace(/\.[jt]s$/, '');
}

async function runAll(files, concurrency) {
  const queue = [...files];
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) await runFile(file);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

async function runFile(file) {
  const startedAt = Date.now();
  const args = ['--enable-source-maps', `--test-reporter=${REPORTER}`, '--test-reporter-destination=stdout'];
  const child = spawn(process.execPath, [...args, join(TESTS, file)], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const result = { file, passed: 0, failed: 0, skipped: 0, output: '' };
  const keep = (chunk) => {
    result.output = (result.output + chunk).slice(-SHOWN_OUTPUT_CHARS);
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  const counter = new Counter(result);
  createInterface({ input: child.stdio[3] }).on('line', (line) => counter.take(JSON.parse(line)));
  const end = await untilEnd(child);
  judgeEnd(result, end);
  for (const key of ['passed', 'failed', 'skipped']) totals[key] += result[key];
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  console.log(`${result.failed === 0 ? 'ok  ' : 'FAIL'} ${sourceOf(file)} (${result.passed} passed, ${seconds} s)`);
}

/** Resolves when the process is gone and all it wrote has been read; kills it at the limit. */
function untilEnd(child) {
  return new Promise((resolve) => {
    let timedOut = false;
    const limit = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, FILE_LIMIT_MS);
    child.once('close', (code, signal) => {
      clearTimeout(limit);
      resolve({ code, signal, timedOut });
    });
  });
}

/** A process can fail where no test did: it crashed, hung, or had nothing to run. */
function judgeEnd(result, { code, signal, timedOut }) {
  const ran = result.passed + result.failed + result.skipped;
  let problem;
  if (timedOut) problem = `did not end within ${FILE_LIMIT_MS / 1000} s: a test hangs or something is left open`;
  else if (signal !== null) problem = `was killed by ${signal}`;
  else if (code !== 0 && result.failed === 0) problem = `ended with exit code ${code}`;
  else if (ran === 0) problem = 'holds no test';
  if (problem !== undefined) {
    result.failed++;
    printFailure(result.file, problem, '');
  }
  if (result.failed > 0 && result.output.trim() !== '') console.log(indent(`output:\n${result.output.trimEnd()}`));
}

/** Counts leaves: a suite or a test with subtests counts only when it fails by itself (in a hook, say). */
class Counter {
  #result;
  #hasChildren = [];

  constructor(result) {
    this.#result = result;
  }

  take(test) {
    const isParent = this.#hasChildren[test.nesting + 1] === true;
    this.#hasChildren[test.nesting + 1] = false;
    this.#hasChildren[test.nesting] = true;
    if (test.skipped) {
      if (!isParent) this.#result.skipped++;
    } else if (test.passed) {
      if (!isParent && !test.isSuite) this.#result.passed++;
    } else if (test.failureType !== 'subtestsFailed') {
      this.#result.failed++;
      printFailure(this.#result.file, test.name, test.error);
    }
  }
}

function printFailure(file, name, error) {
  console.log(`\nFAILED ${sourceOf(file)}: ${name}${error === '' ? '' : `\n${indent(error)}`}\n`);
}

function sourceOf(file) {
  return relative(ROOT, join(TESTS, file))
    .replace(/^dist\//, '')
    .replace(/\.js$/, '.ts');
}

function indent(text) {
  return text.replaceAll(/^/gm, '    ');
}

await main(process.argv.slice(2));
