/**
 * Cluster nodes that treat scripts as servers do which are not installed here: from Redis 7.4 and Valkey 8 on those that
 * came by EVAL are evicted beyond 500, least recently run first, and SCRIPT LOAD keeps a script only if it came before
 * its first EVAL (`scriptsLRUAdd` and `evalCalcScriptSha` in Redis's eval.c). Every script that runs answers how often it ran there.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import RedisParser from 'redis-parser';
import { IMPOSSIBLE_SHA } from '../../src/script/sha.ts';
import { shaOf } from './stand.ts';

const KEPT = 500;
const NOSCRIPT = '-NOSCRIPT No matching script. Please use EVAL.\r\n';

export interface EvictingOptions {
  /** What SCRIPT LOAD says instead of loading. */
  readonly loadRefusal?: string;
}

export class EvictingNode {
  /** Commands in the order they came, in upper case, with the sha of their script: `EVALSHA 1234…`. */
  readonly calls: string[] = [];
  /** NOSCRIPT that it said of real shas. */
  noscriptCount = 0;
  evictedCount = 0;
  loadRefusal: string | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #loaded = new Set<string>();
  /** Of EVAL origin, the one that ran longest ago first. */
  readonly #evalled = new Set<string>();
  readonly #runs = new Map<string, number>();
  #rows = '*0\r\n';

  private constructor(server: Server, options: EvictingOptions) {
    this.#server = server;
    this.loadRefusal = options.loadRefusal;
    server.on('connection', (socket) => this.#accept(socket));
  }

  /** So many masters that share the slots. */
  static async startCluster(count: number, options: EvictingOptions = {}): Promise<EvictingNode[]> {
    const nodes: EvictingNode[] = [];
    for (let i = 0; i < count; i++) {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      nodes.push(new EvictingNode(server, options));
    }
    const rows = nodes.map(({ port }, i) => {
      const [first, last] = [i, i + 1].map((n) => Math.floor((16_384 * n) / count)) as [number, number];
      return `*3\r\n:${first}\r\n:${last - 1}\r\n*3\r\n$9\r\n127.0.0.1\r\n:${port}\r\n$5\r\nnode${i}\r\n`;
    });
    for (const node of nodes) node.#rows = `*${count}\r\n${rows.join('')}`;
    return nodes;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  holds(sha: string): boolean {
    return this.#loaded.has(sha) || this.#evalled.has(sha);
  }

  /** As after a SCRIPT FLUSH of that script alone. */
  forget(sha: string): void {
    this.#loaded.delete(sha);
    this.#evalled.delete(sha);
  }

  /** The calls that concern a script, without its sha. */
  callsOf(sha: string): string[] {
    return this.calls.filter((call) => call.endsWith(sha)).map((call) => call.slice(0, -sha.length - 1));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
    const fail = () => socket.destroy();
    const parser = new RedisParser({
      returnBuffers: true,
      returnReply: (request: unknown) => socket.write(this.#answer((request as Buffer[]).map(String))),
      returnError: fail,
      returnFatalError: fail,
    });
    socket.on('data', (chunk) => parser.execute(chunk));
  }

  #answer([name = '', first = '', second = '', ...rest]: string[]): string {
    const command = name.toUpperCase();
    const what = `${command} ${first.toUpperCase()}`;
    if (command === 'EVAL') return this.#eval(shaOf(first));
    if (command === 'EVALSHA') return this.#evalsha(first);
    if (what === 'SCRIPT LOAD') return this.#load(shaOf(second));
    if (what === 'SCRIPT EXISTS') {
      const shas = [second, ...rest];
      return `*${shas.length}\r\n${shas.map((sha) => `:${this.holds(sha) ? 1 : 0}\r\n`).join('')}`;
    }
    if (what === 'CLUSTER SLOTS') return this.#rows;
    if (what === 'FUNCTION LIST') return '*0\r\n';
    if (command === 'PING') return '+PONG\r\n';
    if (command === 'INFO') {
      const info = `# Server\r\nredis_version:7.4.0\r\nrun_id:${this.port}\r\n`;
      return `$${info.length}\r\n${info}\r\n`;
    }
    return `-ERR unknown command '${name}'\r\n`;
  }

  #eval(sha: string): string {
    this.calls.push(`EVAL ${sha}`);
    if (!this.holds(sha) && this.#evalled.size === KEPT) {
      const [oldest = ''] = this.#evalled;
      this.#evalled.delete(oldest);
      this.evictedCount++;
    }
    if (!this.holds(sha)) this.#evalled.add(sha);
    return this.#run(sha);
  }

  #evalsha(sha: string): string {
    if (sha === IMPOSSIBLE_SHA) return NOSCRIPT;
    this.calls.push(`EVALSHA ${sha}`);
    if (this.holds(sha)) return this.#run(sha);
    this.noscriptCount++;
    return NOSCRIPT;
  }

  #load(sha: string): string {
    this.calls.push(`SCRIPT LOAD ${sha}`);
    if (this.loadRefusal !== undefined) return `-${this.loadRefusal}\r\n`;
    // One that came by EVAL stays what it is.
    if (!this.#evalled.has(sha)) this.#loaded.add(sha);
    return `$40\r\n${sha}\r\n`;
  }

  #run(sha: string): string {
    if (this.#evalled.delete(sha)) this.#evalled.add(sha);
    const count = (this.#runs.get(sha) ?? 0) + 1;
    this.#runs.set(sha, count);
    return `:${count}\r\n`;
  }
}
