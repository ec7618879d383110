/** A real redis-server without data, to ask whether it compiles a script. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import RedisParser from 'redis-parser';
import { findServer } from '../../../src/control/local-server.ts';

export class LuaServer {
  readonly #folder: string;
  readonly #process: ChildProcess;
  readonly #socket: Socket;
  readonly #waiting: ((reply: unknown) => void)[] = [];

  constructor(folder: string, child: ChildProcess, socket: Socket) {
    this.#folder = folder;
    this.#process = child;
    this.#socket = socket;
    const take = (reply: unknown) => this.#waiting.shift()?.(reply);
    const parser = new RedisParser({ returnReply: take, returnError: take });
    socket.on('data', (chunk) => parser.execute(chunk));
  }

  static async start(): Promise<LuaServer> {
    const folder = mkdtempSync(join(tmpdir(), 'evalgate-lua-'));
    const path = join(folder, 'redis.sock');
    const settings = ['--port', '0', '--unixsocket', path, '--save', '', '--dir', folder, '--appendonly', 'no'];
    const child = spawn(findServer(), settings, { stdio: ['ignore', 'pipe', 'inherit'] });
    await untilReady(child.stdout);
    const socket = connect(path);
    await once(socket, 'connect');
    return new LuaServer(folder, child, socket);
  }

  /** The sha, or the error that SCRIPT LOAD gave. */
  async load(body: Buffer): Promise<unknown> {
    const head = `*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$${body.length}\r\n`;
    const reply = new Promise((resolve) => this.#waiting.push(resolve));
    this.#socket.write(Buffer.concat([Buffer.from(head), body, Buffer.from('\r\n')]));
    return await reply;
  }

  async stop(): Promise<void> {
    this.#socket.destroy();
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
    rmSync(this.#folder, { recursive: true });
  }
}

/** Reads on to the end, so that the server never writes into a closed pipe. */
function untilReady(stdout: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    stdout.on('data', (chunk) => {
      log += chunk;
      if (/ready to accept connections/i.test(log)) resolve();
    });
    stdout.once('end', () => reject(new Error(`redis-server did not start: ${log}`)));
  });
}
