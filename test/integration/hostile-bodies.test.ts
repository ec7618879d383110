/**
 * Bodies that mean harm, sent to evalgate: each gets an answer, by EVAL and by SCRIPT LOAD, in every profile, and while
 * they are read another client is served. What the parser and the rules do with them: test/lua/hostile.test.ts.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ProxyServer } from '../../src/control/proxy.ts';
import { RawClient } from '../support/client.ts';
import { Gateway, startProxy } from '../support/gateway.ts';

/** Far above what is measured (50 ms); node, proxy and clients share a slow and busy machine. */
const GUARD_MS = 1000;

const BODIES: Readonly<Record<string, Buffer | string>> = {
  empty: '',
  NULs: Buffer.alloc(262_144),
  'a NUL in a string': "return redis.call('G\0T', KEYS[1])",
  'invalid UTF-8': Buffer.from(`return '${'\xc3\x28'.repeat(500)}', redis.call('\xff\xfe')`, 'latin1'),
  'line breaks in a name': "return redis.call('NO\\r\\n+OK')",
  '20,000 nested parentheses': `return ${'('.repeat(20_000)}1${')'.repeat(20_000)}`,
  '5,000 nested functions': `return ${'function() return '.repeat(5000)}1${' end'.repeat(5000)}`,
  '2 MB of calls': "redis.call('GET', KEYS[1])\n".repeat(80_000),
  '256 KB of calls': "redis.call('GET', KEYS[1])\n".repeat(9700),
  '256 KB of calls never closed': 'redis.call('.repeat(23_000),
  'an endless long string': `return [==[${'x'.repeat(262_000)}`,
  'the same beyond the size cap': `return [==[${'x'.repeat(4_000_000)}`,
};

describe('hostile bodies', () => {
  let gateway: Gateway;
  let safe: ProxyServer;
  before(async () => {
    gateway = await Gateway.start({ replicas: 0 });
    safe = await startProxy(gateway.cluster, { scripting: { script_check_profile: 'safe' } });
  });
  after(async () => {
    await safe.stop();
    await gateway.stop();
  });

  for (const profile of ['tair', 'safe'] as const) {
    for (const [name, body] of Object.entries(BODIES)) {
      it(`get an answer under ${profile} while another client is served: ${name}`, async (t) => {
        const { port } = profile === 'tair' ? gateway : safe.address;
        const [client, other] = await Promise.all([RawClient.connect(port), RawClient.connect(port)]);
        const pings = new Pings(other);
        const replies = [
          await client.command('EVAL', body, 1, 'key'),
          await client.command('SCRIPT', 'LOAD', body),
          await client.command('EVAL_RO', body, 1, 'key'),
        ];
        const { count, longestMs } = await pings.stop();
        for (const reply of replies) {
          assert.match(String(reply), /^[-$*].*\r\n/);
          assert.ok(reply[0] !== 0x2d || reply.indexOf('\r\n') === reply.length - 2, 'an error is one line');
        }
        t.diagnostic(`${count} PINGs, the slowest ${longestMs.toFixed(1)} ms`);
        assert.ok(count > 0 && longestMs < GUARD_MS, `the slowest PING took ${longestMs.toFixed()} ms`);
        assert.equal(await client.text('PING'), '+PONG\r\n');
        client.close();
        other.close();
      });
    }
  }
});

/** PINGs of one client, one after the other, until told to stop. */
class Pings {
  readonly #client: RawClient;
  readonly #end: Promise<void>;
  #count = 0;
  #longestMs = 0;
  #isStopped = false;

  constructor(client: RawClient) {
    this.#client = client;
    this.#end = this.#run();
  }

  async stop(): Promise<{ count: number; longestMs: number }> {
    this.#isStopped = true;
    await this.#end;
    return { count: this.#count, longestMs: this.#longestMs };
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const startedAt = performance.now();
      assert.equal(await this.#client.text('PING'), '+PONG\r\n');
      this.#longestMs = Math.max(this.#longestMs, performance.now() - startedAt);
      this.#count++;
    }
  }
}
