/** Acceptor with workers that are played here: to whom it gives real connections, and again to whom. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { Acceptor, type ConnectionHandle } from '../../../src/control/workers/acceptor.ts';
import type { WorkerHandle } from '../../../src/control/workers/worker-handle.ts';
import { waitFor } from '../../support/cluster.ts';

type Answer = 'taken' | 'declined' | 'gone';

class FakeWorker {
  load: number;
  isUp = true;
  /** What becomes of the next clients; `taken` when nothing is said. */
  readonly answers: Answer[];
  readonly taken: { readonly handle: ConnectionHandle; readonly elsewhere: number }[] = [];

  constructor(load: number, ...answers: Answer[]) {
    this.load = load;
    this.answers = answers;
  }

  async take(handle: ConnectionHandle, elsewhere: number): Promise<boolean> {
    const answer = this.answers.shift() ?? 'taken';
    if (answer !== 'taken') this.isUp = false;
    if (answer === 'gone') throw new Error('it is gone');
    if (answer === 'taken') {
      this.load++;
      this.taken.push({ handle, elsewhere });
    }
    return answer === 'taken';
  }
}

async function start(t: TestContext, workers: FakeWorker[]) {
  const serving = () => workers.filter(({ isUp }) => isUp) as unknown as WorkerHandle[];
  const acceptor = new Acceptor(serving, pino({ level: 'silent' }));
  t.after(() => acceptor.close());
  const { port } = await acceptor.listen({ host: '127.0.0.1', port: 0 });
  const client = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  return { acceptor, client, port };
}

const taken = (workers: readonly FakeWorker[]): number[] => workers.map((worker) => worker.taken.length);

describe('Acceptor', () => {
  it('gives each client to the worker with the fewest, and tells it how many there are elsewhere', async (t) => {
    const workers = [new FakeWorker(3), new FakeWorker(0), new FakeWorker(2)];
    const { client } = await start(t, workers);
    for (let i = 1; i <= 4; i++) {
      await client();
      await waitFor('it is taken', () => taken(workers).reduce((sum, count) => sum + count) === i);
    }
    assert.deepEqual(taken(workers), [0, 3, 1]);
    assert.deepEqual(
      workers[1]?.taken.map(({ elsewhere }) => elsewhere),
      [5, 5, 5],
    );
  });

  it('gives a client to another worker when the first declines, or is gone', async (t) => {
    const workers = [new FakeWorker(0, 'declined'), new FakeWorker(1, 'gone'), new FakeWorker(2)];
    const { client } = await start(t, workers);
    await client();
    await waitFor('it is taken', () => workers[2]?.taken.length === 1);
  });

  it('lets clients wait while no worker serves, and closes them when it stops', async (t) => {
    const workers = [new FakeWorker(0, 'gone')];
    const { acceptor, client, port } = await start(t, workers);
    await client();
    await waitFor('it was offered', () => workers[0]?.isUp === false);
    await client();
    const late = new FakeWorker(0);
    workers.push(late);
    // Both are accepted when a third is.
    acceptor.onServing();
    await client();
    await waitFor('all are taken', () => late.taken.length === 3);
    late.isUp = false;
    const waiting = await client();
    const closed = once(waiting, 'close');
    waiting.resume();
    await waitFor('it waits', async () => {
      acceptor.close();
      return waiting.destroyed;
    });
    await closed;
    const refused = connect(port, '127.0.0.1');
    await once(refused, 'error');
  });
});
