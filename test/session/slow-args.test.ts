import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SHIPPED_TABLE } from '../../src/command/table.ts';
import { scriptFromBody } from '../../src/script/script.ts';
import { shownArgs } from '../../src/session/slow-args.ts';
import { Batch } from '../../src/upstream/batch.ts';
import { type Call, Exchange, IGNORE } from '../../src/upstream/exchange.ts';
import { type Argument, encodeCommand } from '../support/client.ts';

/** What is shown of a request that stands somewhere in a batch. */
function shown(args: readonly Argument[], name = String(args[0]), call?: Call): string[] {
  const bytes = encodeCommand(args);
  const batch = Batch.take(100 + bytes.length);
  batch.append(Buffer.from('*1\r\n$4\r\nPING\r\n'), 0, 14);
  batch.append(bytes, 0, bytes.length);
  const exchange = new Exchange(IGNORE, 0, SHIPPED_TABLE.findByName(name), 0);
  exchange.ownLast(batch, bytes.length);
  exchange.call = call;
  return shownArgs(exchange).map(String);
}

function callOf(forms: Pick<Call, 'form' | 'bytesForm' | 'isReadOnly'>, body: string): Call {
  const script = scriptFromBody(Buffer.from(body), 'eval');
  return { ...forms, script, argc: 4, keyCount: 1, tail: 0, keysBytes: 0, mustSendBody: false };
}

describe('shownArgs', () => {
  it('shows a request as it is', () => {
    assert.deepEqual(shown(['SET', 'k', 'v\r\n*3']), ['SET', 'k', 'v\r\n*3']);
  });

  it('cuts as Redis does: 128 bytes of an argument, 32 arguments', () => {
    assert.deepEqual(shown(['SET', 'k', 'x'.repeat(128)]), ['SET', 'k', 'x'.repeat(128)]);
    assert.deepEqual(shown(['SET', 'k', 'x'.repeat(130)]), ['SET', 'k', `${'x'.repeat(128)}... (2 more bytes)`]);
    const keys = (count: number) => Array.from({ length: count }, (_, i) => `k${i}`);
    assert.deepEqual(shown(['DEL', ...keys(31)]), ['DEL', ...keys(31)]);
    assert.deepEqual(shown(['DEL', ...keys(32)]), ['DEL', ...keys(30), '... (2 more arguments)']);
    assert.deepEqual(shown(['DEL', ...keys(5000)]), ['DEL', ...keys(30), '... (4970 more arguments)']);
  });

  const secrets: [name: string, sent: string, shown: string][] = [
    ['auth', 'AUTH pass', 'AUTH *'],
    ['auth', 'AUTH user pass', 'AUTH * *'],
    ['hello', 'HELLO 3 AUTH user pass SETNAME me', 'HELLO 3 AUTH * * * *'],
    ['hello', 'HELLO 3 SETNAME me', 'HELLO 3 SETNAME me'],
    ['config|set', 'CONFIG SET requirepass pass', 'CONFIG SET * *'],
    ['acl|setuser', 'ACL SETUSER bob >pass', 'ACL SETUSER * *'],
    ['migrate', 'MIGRATE h 1 k 0 9 AUTH2 user pass', 'MIGRATE h 1 k 0 9 AUTH2 * *'],
    ['get', 'GET auth', 'GET auth'],
  ];
  for (const [name, sent, expected] of secrets) {
    it(`${sent} → ${expected}`, () => {
      assert.equal(shown(sent.split(' '), name).join(' ').replaceAll('(redacted)', '*'), expected);
    });
  }

  it('shows what the client sent where another form went up', () => {
    const body = 'return 1';
    const { sha } = scriptFromBody(Buffer.from(body), 'eval');
    const went = { form: 'evalsha', bytesForm: 'eval', isReadOnly: false } as const;
    assert.deepEqual(shown(['EVAL', body, '1', 'k'], 'evalsha', callOf(went, body)), ['EVALSHA', sha, '1', 'k']);
    const saved = { form: 'eval', bytesForm: 'evalsha', isReadOnly: true } as const;
    assert.deepEqual(shown(['EVALSHA_RO', sha, '1', 'k'], 'eval_ro', callOf(saved, body)), ['EVAL_RO', body, '1', 'k']);
    const same = { form: 'eval', bytesForm: 'eval', isReadOnly: false } as const;
    assert.deepEqual(shown(['eval', body, '1', 'k'], 'eval', callOf(same, body)), ['eval', body, '1', 'k']);
  });

  it('is empty when the bytes are gone', () => {
    assert.deepEqual(shownArgs(new Exchange(IGNORE, 0, undefined, 0)), []);
  });
});
