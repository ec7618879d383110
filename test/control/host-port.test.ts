import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OperatorError } from '../../src/base/operator-error.ts';
import { isHostPort, parseHostPort } from '../../src/control/host-port.ts';

describe('parseHostPort', () => {
  const good: [string, string, number][] = [
    ['127.0.0.1:7000', '127.0.0.1', 7000],
    ['redis-1.example.com:1', 'redis-1.example.com', 1],
    ['[::1]:7000', '::1', 7000],
    ['[::ffff:10.0.0.1]:65535', '::ffff:10.0.0.1', 65535],
  ];
  for (const [text, host, port] of good) {
    it(`reads ${text}`, () => assert.deepEqual(parseHostPort(text), { host, port }));
  }

  const bad = [
    '',
    'host',
    ':7000',
    'host:',
    'host:0',
    'host:65536',
    'host:7000x',
    '::1:7000',
    '[::1]',
    '[host]:1',
    'a b:1',
    'h:-1',
  ];
  for (const text of bad) {
    it(`refuses "${text}"`, () => {
      assert.equal(isHostPort(text), false);
      assert.throws(
        () => parseHostPort(text),
        (error) =>
          error instanceof OperatorError && error.code === 'EVALGATE_CONFIG' && error.message.includes(`"${text}"`),
      );
    });
  }
});
