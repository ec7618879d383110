/**
 * One node of a LocalCluster: a server process with its folder, which holds its config, its cluster state, its log and
 * the file `pid` while it runs (local-cluster.ts says what that is for). It may be stopped and started again; id,
 * address and folder stay.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { OperatorError } from '../base/operator-error.ts';
import { pollUntil } from './poll.ts';
import { isListening } from './ports.ts';

const READY_TIMEOUT_MS = 30_000;
const RECONNECT_MS = 50;
const LOG_TAIL_LINES = 5;

/** Files in PEM. */
export interface LocalTls {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface LocalNodeOptions {
  readonly id: string;
  readonly port: number;
  readonly role: 'master' | 'replica';
  readonly shardIndex: number;
  /** Binary to run. */
  readonly server: string;
  readonly folder: string;
  /** Lines of redis.conf: name and value. */
  readonly config: Readonly<Record<string, string>>;
  /** The node speaks TLS only. */
  readonly tls?: LocalTls | undefined;
  /** Content of nodes.conf: what the node believes of the cluster when it first starts. */
  readonly clusterState: string;
}

export class LocalNode {
  /** The cluster's name for it: 40 hexadecimal digits. */
  readonly id: string;
  readonly host = '127.0.0.1';
  readonly port: number;
  /** Its role when the cluster was formed. */
  readonly role: 'master' | 'replica';
  readonly shardIndex: number;
  readonly folder: string;
  readonly #server: string;
  readonly #tls: LocalTls | undefined;
  #process: ChildProcess | undefined;
  #client: Redis | undefined;

  constructor(options: LocalNodeOptions) {
    this.id = options.id;
    this.port = options.port;
    this.role = options.role;
    this.shardIndex = options.shardIndex;
    this.folder = options.folder;
    this.#server = options.server;
    this.#tls = options.tls;
    mkdirSync(this.folder);
    const config = { bind: this.host, ...this.#portConfig(), dir: this.folder, ...options.config };
    const lines = Object.entries(config).map(([name, value]) => `${name} ${value === '' ? '""' : value}\n`);
    writeFileSync(join(this.folder, 'redis.conf'), lines.join(''));
    writeFileSync(join(this.folder, 'nodes.conf'), options.clusterState);
  }

  #portConfig(): Readonly<Record<string, string>> {
    const port = String(this.port);
    if (this.#tls === undefined) return { port };
    const { caFile, certFile, keyFile } = this.#tls;
    const files = { 'tls-ca-cert-file': caFile, 'tls-cert-file': certFile, 'tls-key-file': keyFile };
    return { port: '0', 'tls-port': port, 'tls-cluster': 'yes', 'tls-replication': 'yes', ...files };
  }

  get address(): string {
    return `${this.host}:${this.port}`;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  /** The running server process. Throws when it is stopped. */
  get process(): ChildProcess {
    if (this.#process !== undefined) return this.#process;
    throw new OperatorError('EVALGATE_LOCAL_CLUSTER', `Cannot use local node ${this.address}: it is stopped`);
  }

  get pid(): number {
    return this.process.pid ?? -1;
  }

  /** A connection to exactly this node, always the same; it reconnects when the node comes back and is closed at stop. */
  client(): Redis {
    if (this.#client !== undefined) return this.#client;
    this.#client = new Redis({
      host: this.host,
      port: this.port,
      protocol: 2,
      enableReadyCheck: false,
      retryStrategy: () => RECONNECT_MS,
      autoResendUnfulfilledCommands: false,
      disableClientInfo: true,
      ...this.#clientTls(),
    });
    // Connection errors are nothing here: commands fail by themselves, nodes are stopped on purpose.
    this.#client.on('error', () => {});
    return this.#client;
  }

  #clientTls(): Pick<RedisOptions, 'tls'> {
    if (this.#tls === undefined) return {};
    const { caFile, certFile, keyFile } = this.#tls;
    const [ca, cert, key] = [caFile, certFile, keyFile].map((file) => readFileSync(file));
    return { tls: { ca, cert, key, checkServerIdentity: () => undefined } };
  }

  /** Starts the server; resolves when it answers. Throws an OperatorError with the end of its log when it does not. */
  async start(): Promise<void> {
    this.#spawn();
    const isReady = await pollUntil(() => this.#isAnswering(), { timeoutMs: READY_TIMEOUT_MS });
    if (!isReady) throw this.#notStarted(`no answer within ${READY_TIMEOUT_MS} ms`);
  }

  #spawn(): void {
    // Own process group: Ctrl-C in a terminal is for evalgate, which stops its nodes when it has drained.
    const child = spawn(this.#server, [join(this.folder, 'redis.conf')], { stdio: 'ignore', detached: true });
    this.#process = child;
    const pidFile = join(this.folder, 'pid');
    if (child.pid !== undefined) writeFileSync(pidFile, String(child.pid));
    const onEnd = () => {
      rmSync(pidFile, { force: true });
      this.#process = undefined;
    };
    child.once('exit', onEnd).once('error', onEnd);
    child.unref();
  }

  async #isAnswering(): Promise<boolean> {
    if (!this.isRunning) throw this.#notStarted('the server ended');
    // The client would hold back the ping of a server that never listens.
    if (!(await isListening(this.port))) return false;
    try {
      return (await this.client().ping()) === 'PONG';
    } catch {
      return false;
    }
  }

  #notStarted(reason: string): OperatorError {
    let log = '';
    try {
      log = readFileSync(join(this.folder, 'log'), 'utf8').trim().split('\n').slice(-LOG_TAIL_LINES).join(' | ');
    } catch {
      // It ended before it had a log.
    }
    return new OperatorError('EVALGATE_LOCAL_CLUSTER', `Cannot start local node ${this.address}: ${reason}: ${log}`);
  }

  /** Sends the signal and resolves when the process is gone (so none that it survives). */
  async stop(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    child.ref();
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  closeClient(): void {
    this.#client?.disconnect();
    this.#client = undefined;
  }
}
