import assert from 'node:assert/strict';
import { it } from 'node:test';
import { OperatorError } from '../../src/base/operator-error.ts';

it('OperatorError carries its code, its text and its cause', () => {
  const cause = new Error('EADDRINUSE');
  const error = new OperatorError('EVALGATE_LISTEN', 'Cannot listen on 127.0.0.1:6380: the port is in use', { cause });
  assert.equal(error.code, 'EVALGATE_LISTEN');
  assert.equal(error.message, 'Cannot listen on 127.0.0.1:6380: the port is in use');
  assert.equal(error.cause, cause);
  assert.equal(error.name, 'OperatorError');
  assert.ok(error instanceof Error);
});
