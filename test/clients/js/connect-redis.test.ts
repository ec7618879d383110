/** connect-redis under express-session: what a web application does with its sessions, by HTTP. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { RedisStore } from 'connect-redis';
import session from 'express-session';
import { createClient } from 'redis';
import { Gateway } from '../../support/gateway.ts';

declare module 'express-session' {
  interface SessionData {
    views: number;
  }
}

type Request = IncomingMessage & Parameters<ReturnType<typeof session>>[0];
type Response = ServerResponse & Parameters<ReturnType<typeof session>>[1];

function answer(request: Request, response: Response): void {
  if (request.url === '/logout') {
    request.session.destroy(() => response.end('gone'));
    return;
  }
  request.session.views = (request.session.views ?? 0) + 1;
  response.end(String(request.session.views));
}

describe('connect-redis', () => {
  let gateway: Gateway;
  let store: RedisStore;
  let server: Server;
  let client: { destroy(): void };

  before(async () => {
    gateway = await Gateway.start({ masters: 3, replicas: 0, nodeTimeoutMs: 15_000 });
    client = await createClient({ url: `redis://127.0.0.1:${gateway.port}` }).connect();
    store = new RedisStore({ client, prefix: 'myapp:' });
    const withSession = session({ store, resave: false, saveUninitialized: false, secret: 'keyboard cat' });
    server = createServer((request, response) => {
      withSession(request as Request, response as Response, () => answer(request as Request, response as Response));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(async () => {
    await new Promise((resolve) => server.close(resolve));
    client.destroy();
    await gateway.stop();
  });

  async function visit(path: string, cookie = ''): Promise<{ body: string; cookie: string }> {
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { cookie } });
    return { body: await response.text(), cookie: response.headers.get('set-cookie')?.split(';')[0] ?? cookie };
  }

  it('each visitor has a session of their own, across all nodes', async () => {
    const visitors = await Promise.all(Array.from({ length: 20 }, () => visit('/')));
    assert.deepEqual(new Set(visitors.map(({ body }) => body)), new Set(['1']));
    const again = await Promise.all(visitors.map(({ cookie }) => visit('/', cookie)));
    assert.deepEqual(new Set(again.map(({ body }) => body)), new Set(['2']));
    assert.equal(await store.length(), 20);
    assert.equal((await store.all()).length, 20);
    assert.equal((await store.ids()).length, 20);
    const [first] = visitors;
    assert.equal((await visit('/logout', first?.cookie)).body, 'gone');
    assert.equal((await visit('/', first?.cookie)).body, '1');
    await store.clear();
    assert.equal(await store.length(), 0);
  });
});
