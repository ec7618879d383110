/**
 * C6 for pub/sub: how many subscriptions and connections a client may have, and what becomes of one that does not read.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it, type TestContext } from 'node:test';
import type { ProxyServer } from '../../src/control/proxy.ts';
import { RawClient } from '../support/client.ts';
import { waitFor } from '../support/cluster.ts';
import { Gateway, startProxy } from '../support/gateway.ts';
import { Subscriber, subscriberCount } from '../support/subscriber.ts';

describe('limits of pub/sub', () => {
  let gateway: Gateway;
  const opened: Subscriber[] = [];

  before(async () => {
    gateway = await Gateway.start({ replicas: 0, nodeTimeoutMs: 15_000 });
  });
  after(() => gateway.stop());
  afterEach(() => {
    for (const subscriber of opened.splice(0)) subscriber.close();
  });

  async function connect(port: number): Promise<Subscriber> {
    const subscriber = await Subscriber.connect(port);
    opened.push(subscriber);
    return subscriber;
  }

  async function proxyWith(t: TestContext, settings: Parameters<typeof startProxy>[1]): Promise<ProxyServer> {
    const proxy = await startProxy(gateway.cluster, { ...settings, listen: { drain_ms: 0 } });
    t.after(() => proxy.stop());
    return proxy;
  }

  it('cluster.dedicated_per_node: refused, and nothing is subscribed', async (t) => {
    const proxy = await proxyWith(t, { cluster: { dedicated_per_node: 1 } });
    const subscribers = await Promise.all([1, 2, 3, 4].map(() => connect(proxy.address.port)));
    for (const subscriber of subscribers.slice(0, 2)) {
      assert.deepEqual(await subscriber.ask(['SUBSCRIBE a']), ['[subscribe a :1]']);
    }
    const REFUSAL =
      /^-ERR evalgate: more than 1 connections to \S+ wait \(cluster\.dedicated_per_node\), the command did not run$/;
    const [third, fourth] = subscribers.slice(2);
    // One master has room, so SUBSCRIBE would pass; keyspace notifications need all.
    const [refusal, pong] = (await third?.ask(['PSUBSCRIBE __key*', 'PING'])) ?? [];
    assert.match(refusal ?? '', REFUSAL);
    assert.equal(pong, '+PONG');
    await waitFor('its connections are gone', async () => (await subscriberCount(gateway.cluster)) === 2);
    assert.deepEqual(await third?.ask(['SUBSCRIBE a']), ['[subscribe a :1]']);
    assert.match((await fourth?.ask(['SUBSCRIBE a']))?.[0] ?? '', REFUSAL);
    third?.close();
    await waitFor('there is room again', async () => {
      return (await fourth?.ask(['SUBSCRIBE a']))?.[0] === '[subscribe a :1]';
    });
  });

  it('names that are too many are refused, for one client and for all', async (t) => {
    const proxy = await proxyWith(t, { limits: { in_flight_bytes_per_client: 4096 } });
    const subscriber = await connect(proxy.address.port);
    const names = (from: number, count: number) => Array.from({ length: count }, (_, i) => `c${from + i}`).join(' ');
    await subscriber.ask([`SUBSCRIBE ${names(0, 20)}`], 20);
    assert.deepEqual(await subscriber.ask([`SUBSCRIBE ${names(20, 20)}`]), [
      '-ERR evalgate: subscriptions take more than 4096 bytes (limits.in_flight_bytes_per_client), the command did not run',
    ]);
    assert.equal((await subscriber.ask([`UNSUBSCRIBE ${names(0, 19)}`], 19)).at(-1), '[unsubscribe c18 :1]');
    await subscriber.ask([`SUBSCRIBE ${names(20, 20)}`], 20);
  });

  it('C6: a subscriber that does not read is cut at limits.client_output_bytes; others do not notice', async (t) => {
    const proxy = await proxyWith(t, { limits: { client_output_bytes: 8 * 1024 * 1024 } });
    const [slow, quick] = [await connect(proxy.address.port), await connect(proxy.address.port)];
    for (const subscriber of [slow, quick]) await subscriber.ask(['SUBSCRIBE big']);
    slow.client.pause();
    const client = await RawClient.connect(proxy.address.port);
    const payload = Buffer.alloc(100_000, 'x');
    let sent = 0;
    while (proxy.counters.subscribersCut === 0) {
      await client.command('PUBLISH', 'big', payload);
      sent++;
      assert.ok(sent < 1000, 'nobody was cut after 100 MB');
      assert.ok(proxy.counters.bufferedBytes < 24 * 1024 * 1024, `${proxy.counters.bufferedBytes} bytes`);
    }
    client.close();
    for (const frame of await quick.client.replies(sent)) assert.ok(frame.length > payload.length);
    slow.client.resume();
    await slow.client.closed();
    assert.equal(proxy.counters.subscribersCut, 1);
    await waitFor('one is left', async () => (await subscriberCount(gateway.cluster)) === 1);
  });
});
