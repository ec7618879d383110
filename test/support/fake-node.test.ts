import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeCommand, RawClient } from './client.ts';
import { FakeNode } from './fake-node.ts';

describe('FakeNode', () => {
  it('plays its script', async (t) => {
    const node = await FakeNode.start(t);
    node.expect('GET', 'k').reply('$1\r\nv\r\n');
    node.expect('SET', /^k\d$/, Buffer.from([0xff])).replyInPieces('+OK\r\n', 1);
    node.expect('PING').reply('+PONG\r\n').close();
    const client = await RawClient.connect(node.port);
    const replies = await client.pipeline([['GET', 'k'], ['SET', 'k1', Buffer.from([0xff])], ['PING']]);
    assert.deepEqual(replies.map(String), ['$1\r\nv\r\n', '+OK\r\n', '+PONG\r\n']);
    assert.deepEqual(await client.repliesUntilEnd(), []);
    await node.finished();
    assert.equal(node.connectionCount, 1);
  });

  it('answers later when told so', async (t) => {
    const node = await FakeNode.start(t);
    const step = node.expect('GET', 'k').staySilent();
    const client = await RawClient.connect(node.port);
    client.send(encodeCommand(['GET', 'k']));
    await node.finished();
    assert.equal(step.hasCome, true);
    assert.equal(client.unreadCount, 0);
    step.reply('_\r\n');
    assert.equal(String(await client.reply()), '_\r\n');
    node.sendUnasked('+surprise\r\n');
    assert.equal(String(await client.reply()), '+surprise\r\n');
    node.dropConnections();
    await client.closed();
  });

  const wrong: [name: string, send: Buffer, error: RegExp][] = [
    [
      'another request',
      encodeCommand(['GET', 'x']),
      /request 1 of the fake node: expected \[ 'GET', 'k' \], came \[ 'GET', 'x' \]/,
    ],
    ['more arguments', encodeCommand(['GET', 'k', 'x']), /request 1 of the fake node/],
    ['no RESP', Buffer.from('hello\r\n'), /the fake node got no request at all/],
  ];
  for (const [name, bytes, error] of wrong) {
    it(`fails and closes the connection at ${name}`, async () => {
      const node = await FakeNode.start();
      node.expect('GET', 'k').reply('_\r\n');
      const client = await RawClient.connect(node.port);
      client.send(bytes);
      await client.closed();
      await assert.rejects(node.finished(), error);
      await assert.rejects(node.finish(), error);
    });
  }

  it('fails at a request beyond the script, and at one that did not come', async () => {
    const beyond = await FakeNode.start();
    const client = await RawClient.connect(beyond.port);
    client.send(encodeCommand(['PING']));
    await client.closed();
    await assert.rejects(beyond.finish(), /expected undefined, came \[ 'PING' \]/);

    const missing = await FakeNode.start();
    missing.expect('PING').reply('+PONG\r\n');
    await assert.rejects(missing.finish(), /waits for requests that did not come/);
  });
});
