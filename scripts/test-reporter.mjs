/**
 * Reporter of node:test for run-tests.mjs: one JSON line on file descriptor 3 for every finished test. It writes
 * synchronously, so that nothing is lost when the test process dies.
 */
import { writeSync } from 'node:fs';
import { inspect } from 'node:util';

const REPORT_FD = 3;

export default async function* report(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const { name, nesting, skip, todo, details } = data;
    const line = {
      name,
      nesting,
      passed: type === 'test:pass',
      skipped: skip !== undefined || todo !== undefined,
      isSuite: details.type === 'suite',
      failureType: details.error?.failureType,
      error: details.error === undefined ? undefined : describe(details.error),
    };
    writeSync(REPORT_FD, `${JSON.stringify(line)}\n`);
  }
  yield '';
}

/** node:test wraps what the test threw; the cause is what helps. */
function describe(error) {
  const cause = error.cause ?? error;
  return cause instanceof Error ? (cause.stack ?? String(cause)) + extras(cause) : inspect(cause);
}

function extras(error) {
  return error.cause === undefined ? '' : `\n  caused by ${inspect(error.cause)}`;
}
