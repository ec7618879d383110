/**
 * A server that follows a script, for tests of connections: the test reads like a transcript,
 *
 *     const node = await FakeNode.start(t);
 *     node.expect('GET', 'k').reply('$1\r\nv\r\n');
 *     node.expect('GET', 'k').replyInPieces('$1\r\nv\r\n', 1);
 *     node.expect('PING').close();
 *     …
 *     await node.finished();
 *
 * Requests must come in the order of the script, on whatever connection. Anything else fails the test: at `finished`,
 * and in any case when the test ends.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import RedisParser from 'redis-parser';

/** Text is compared as UTF-8 bytes; a RegExp must match the argument's text. */
export type Expected = string | Buffer | RegExp;

const FINISH_TIMEOUT_MS = 5000;

/** The part of node:test's context that is needed. */
export interface TestScope {
  after(cleanUp: () => Promise<void>): void;
}

type Action = (socket: Socket) => void | Promise<void>;

/** One expected request and what the node does when it comes. */
export class Step {
  readonly args: readonly Expected[];
  readonly #actions: Action[] = [];
  #socket: Socket | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(args: readonly Expected[]) {
    this.args = args;
  }

  /** Bytes as they are: replies, several replies, or garbage. */
  reply(bytes: string | Buffer): this {
    return this.#add((socket) => {
      socket.write(bytes);
    });
  }

  /** The bytes in pieces of so many, each in a turn of the event loop and a packet of its own. */
  replyInPieces(bytes: string | Buffer, size: number): this {
    const whole = Buffer.from(bytes as string);
    return this.#add(async (socket) => {
      for (let at = 0; at < whole.length; at += size) {
        socket.write(whole.subarray(at, at + size));
        await nextTurn();
      }
    });
  }

  /** Ends the connection in good order, after what was written. */
  close(): this {
    return this.#add((socket) => {
      socket.end();
    });
  }

  /** Resets the connection. */
  reset(): this {
    return this.#add((socket) => {
      socket.resetAndDestroy();
    });
  }

  /** Says nothing; the test may go on with `reply` and the others later, when the request has come. */
  staySilent(): this {
    return this;
  }

  async run(socket: Socket): Promise<void> {
    this.#socket = socket;
    for (const action of this.#actions) await action(socket);
  }

  get hasCome(): boolean {
    return this.#socket !== undefined;
  }

  #add(action: Action): this {
    const socket = this.#socket;
    if (socket === undefined) this.#actions.push(action);
    else this.#running = this.#running.then(() => action(socket));
    return this;
  }
}

export class FakeNode {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #script: Step[] = [];
  #played = 0;
  #connectionCount = 0;
  #failure: Error | undefined;
  #onNews: () => void = () => {};

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => this.#accept(socket));
  }

  /** A node on a free port of 127.0.0.1. With a test's context it checks and closes itself when the test ends. */
  static async start(scope?: TestScope): Promise<FakeNode> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const node = new FakeNode(server);
    scope?.after(() => node.finish());
    return node;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Connections accepted so far. */
  get connectionCount(): number {
    return this.#connectionCount;
  }

  /** The next request of the script. */
  expect(...args: readonly Expected[]): Step {
    const step = new Step(args);
    this.#script.push(step);
    return step;
  }

  /** Bytes that nobody asked for, to every connection. */
  sendUnasked(bytes: string | Buffer): void {
    for (const socket of this.#sockets) socket.write(bytes);
  }

  /** Resets every connection that is open. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Resolves when the whole script was played; fails at the first difference, or after 5 s. */
  async finished(): Promise<void> {
    const deadline = Date.now() + FINISH_TIMEOUT_MS;
    while (this.#failure === undefined && this.#played < this.#script.length && Date.now() < deadline) {
      await this.#news(deadline - Date.now());
    }
    this.#check();
  }

  /** Closes the node, then fails if the script was not played to its end. */
  async finish(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
    this.#check();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const missing = this.#script.slice(this.#played).map(({ args }) => inspect(args));
    assert.deepEqual(missing, [], 'the fake node waits for requests that did not come');
  }

  #news(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onNews = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #accept(socket: Socket): void {
    this.#connectionCount++;
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
    let playing: Promise<void> = Promise.resolve();
    const parser = new RedisParser({
      returnBuffers: true,
      returnReply: (request: unknown) => {
        // Matched at once, in order of arrival; answered when the answers before it on this connection are out.
        const step = this.#match(request);
        playing = playing.then(() => this.#play(step, socket));
      },
      returnError: (error: Error) => this.#fail(`an error line as a request: ${error.message}`, socket),
      returnFatalError: (error: Error) => this.#fail(`no request at all: ${error.message}`, socket),
    });
    socket.on('data', (chunk) => parser.execute(chunk));
  }

  #match(request: unknown): Step | undefined {
    const step = this.#script[this.#played];
    const args = Array.isArray(request) ? (request as unknown[]) : [request];
    if (step === undefined || !isEqual(step.args, args)) {
      const came = inspect(args.map((argument) => (Buffer.isBuffer(argument) ? argument.toString() : argument)));
      this.#failure ??= new assert.AssertionError({
        message: `request ${this.#played + 1} of the fake node: expected ${inspect(step?.args)}, came ${came}`,
      });
      this.#onNews();
      return undefined;
    }
    this.#played++;
    this.#onNews();
    return step;
  }

  async #play(step: Step | undefined, socket: Socket): Promise<void> {
    if (step === undefined) socket.destroy();
    else await step.run(socket);
  }

  #fail(message: string, socket: Socket): void {
    this.#failure ??= new assert.AssertionError({ message: `the fake node got ${message}` });
    socket.destroy();
    this.#onNews();
  }
}

function isEqual(expected: readonly Expected[], args: readonly unknown[]): boolean {
  if (expected.length !== args.length) return false;
  return expected.every((wanted, index) => {
    const argument = args[index];
    if (!Buffer.isBuffer(argument)) return false;
    return wanted instanceof RegExp ? wanted.test(argument.toString()) : argument.equals(Buffer.from(wanted as string));
  });
}
