/**
 * One ioredis client a node, for the control plane: topology, COMMAND, pings. Never for a client's commands.
 *
 * Nothing is queued and nothing is sent again by itself: a command that was meant for one moment (a KILL, a FLUSH)
 * must not come later, after a reconnect.
 */
import { Redis } from 'ioredis';
import type { Node } from '../cluster/topology.ts';
import { connectProblem, tlsOptionsFor } from '../upstream/node-tls.ts';
import type { ClusterAccess } from './cluster-access.ts';

export type ControlOptions = Pick<ClusterAccess, 'username' | 'password' | 'tls'>;

const COMMAND_TIMEOUT_MS = 500;

export class ControlClients {
  #options: ControlOptions;
  readonly #onEnd: (address: string) => void;
  readonly #clients = new Map<string, Redis>();
  /** Whoever calls while a client connects waits for it. */
  readonly #connecting = new WeakMap<Redis, Promise<void>>();
  /** Why a client has no connection: ioredis itself only says that it is closed. */
  readonly #problems = new WeakMap<Redis, string>();

  /** `onEnd`: a connection to the node of this address was lost, or could not be made. */
  constructor(options: ControlOptions, onEnd: (address: string) => void = () => {}) {
    this.#options = options;
    this.#onEnd = onEnd;
  }

  /** Asks a node and gives the decoded reply. Rejects after 500 ms, when the node cannot be reached, or on an error reply. */
  async call(
    node: Pick<Node, 'host' | 'port' | 'address'>,
    command: string,
    ...args: (string | Buffer)[]
  ): Promise<unknown> {
    return await (await this.#connected(node)).call(command, ...args);
  }

  /** As `call`, with bulk strings as bytes. */
  async callBuffer(
    node: Pick<Node, 'host' | 'port' | 'address'>,
    command: string,
    ...args: (string | Buffer)[]
  ): Promise<unknown> {
    return await (await this.#connected(node)).callBuffer(command, ...args);
  }

  async #connected(node: Pick<Node, 'host' | 'port' | 'address'>): Promise<Redis> {
    const client = this.#clientOf(node);
    await this.#connecting.get(client);
    return client;
  }

  async #connect(client: Redis): Promise<void> {
    try {
      await client.connect();
    } catch (error) {
      throw new Error(this.#problems.get(client) ?? (error as Error).message, { cause: error });
    }
  }

  /** Nodes are reached otherwise from now on; what is being asked over the old connections is still answered. */
  use(options: ControlOptions): void {
    this.#options = options;
    const old = [...this.#clients.values()];
    this.#clients.clear();
    const end = () => {
      for (const client of old) client.disconnect();
    };
    setTimeout(end, COMMAND_TIMEOUT_MS).unref();
  }

  #clientOf({ host, port, address }: Pick<Node, 'host' | 'port' | 'address'>): Redis {
    const known = this.#clients.get(address);
    if (known !== undefined && known.status !== 'end') return known;
    const { username, password, tls } = this.#options;
    const client = new Redis({
      host,
      port,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls === undefined ? {} : { tls: tlsOptionsFor(tls, host) }),
      lazyConnect: true,
      enableReadyCheck: false,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      connectTimeout: COMMAND_TIMEOUT_MS,
      commandTimeout: COMMAND_TIMEOUT_MS,
      connectionName: 'evalgate',
    });
    client.on('error', (error) => this.#problems.set(client, connectProblem(error, tls !== undefined)));
    client.on('close', () => this.#onEnd(address));
    this.#clients.set(address, client);
    this.#connecting.set(client, this.#connect(client));
    return client;
  }

  /** Closes the clients of nodes that are not among these addresses. */
  retain(addresses: ReadonlySet<string>): void {
    for (const [address, client] of this.#clients) {
      if (addresses.has(address)) continue;
      client.disconnect();
      this.#clients.delete(address);
    }
  }

  close(): void {
    for (const client of this.#clients.values()) client.disconnect();
    this.#clients.clear();
  }
}
