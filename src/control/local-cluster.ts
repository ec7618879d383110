/**
 * A real cluster on this machine, in a temp folder and on free ports: for `evalgate dev`, tests and the bench.
 *
 * Forming it takes two seconds, which a server needs in any case before it lets a master serve: every node starts with
 * a nodes.conf in which ids, slots, epochs and replicas are settled, so that nobody has to meet.
 *
 * Nothing is left behind, however this process ends: a shell waits at the other end of a pipe, and when the pipe closes
 * (by `stop`, an exception, a signal, even SIGKILL) it kills the servers whose `pid` file is there and removes the folder.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { OperatorError } from '../base/operator-error.ts';
import { SLOT_COUNT } from '../cluster/slot.ts';
import { LocalNode, type LocalTls } from './local-node.ts';
import { findServer, inspectServer, type LocalServer } from './local-server.ts';
import { pollUntil } from './poll.ts';
import { BUS_OFFSET, findFreePorts } from './ports.ts';

export { LocalNode } from './local-node.ts';

const START_ATTEMPTS = 5;
const FORM_TIMEOUT_MS = 30_000;
const CLEAN_UP =
  'echo ready; cat > /dev/null; for file in "$0"/*/pid; do [ -f "$file" ] && kill -9 "$(cat "$file")"; done; rm -rf "$0" || { sleep 1; rm -rf "$0"; }';

export interface LocalClusterOptions {
  /** 3 unless given. */
  readonly masters?: number;
  /** Of each master; 1 unless given. */
  readonly replicas?: number;
  /** `cluster-node-timeout`: after so long without an answer a node counts as failed. 2000 unless given. */
  readonly nodeTimeoutMs?: number;
  /** More of redis.conf, for every node: `{'lua-time-limit': '1000'}`. */
  readonly config?: Readonly<Record<string, string>>;
  /** TLS only, between the nodes too; the files serve all of them. */
  readonly tls?: LocalTls;
  /** Server binary; redis-server or valkey-server from PATH unless given. */
  readonly server?: string;
}

interface Member {
  readonly id: string;
  readonly port: number;
  readonly shardIndex: number;
  /** Undefined: its server has no such thing. */
  readonly shardId?: string | undefined;
  /** Undefined: a master. */
  readonly masterId?: string | undefined;
  /** First and last slot; undefined: none. */
  readonly slots?: readonly [number, number] | undefined;
}

export class LocalCluster {
  readonly #folder: string;
  readonly #cleaner: ChildProcess;
  readonly #server: LocalServer;
  readonly #config: Readonly<Record<string, string>>;
  readonly #tls: LocalTls | undefined;
  readonly #nodes: LocalNode[] = [];
  #isStopped = false;

  private constructor(server: LocalServer, options: LocalClusterOptions, place: Place) {
    this.#server = server;
    this.#config = configOf(options);
    this.#tls = options.tls;
    this.#folder = place.folder;
    this.#cleaner = place.cleaner;
    mkdirSync(this.#folder, { mode: 0o700 });
  }

  /**
   * A cluster that is ready: every node says `cluster_state:ok`, every replica follows its master. Throws an
   * OperatorError when there is no server binary or the cluster does not come up; nothing is left behind then.
   */
  static async start(options: LocalClusterOptions = {}): Promise<LocalCluster> {
    const server = await inspectServer(options.server ?? findServer());
    for (let attempt = 1; ; attempt++) {
      const cluster = new LocalCluster(server, options, await preparePlace());
      try {
        await cluster.#form(await planMembers(options, server));
        return cluster;
      } catch (error) {
        await cluster.stop();
        // A port that was free may be taken meanwhile: other ports next time.
        if (attempt === START_ATTEMPTS) throw error;
      }
    }
  }

  /** In order of start: masters, then replicas, then added ones. */
  get nodes(): readonly LocalNode[] {
    return this.#nodes;
  }

  /** Masters when the cluster was formed, by shard. */
  get masters(): readonly LocalNode[] {
    return this.#nodes.filter((node) => node.role === 'master');
  }

  /** Replicas when the cluster was formed. */
  get replicas(): readonly LocalNode[] {
    return this.#nodes.filter((node) => node.role === 'replica');
  }

  /** Addresses for `cluster.nodes`. */
  get seeds(): string[] {
    return this.#nodes.map((node) => node.address);
  }

  async stopNode(node: LocalNode, signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT' = 'SIGTERM'): Promise<void> {
    await node.stop(signal);
  }

  /** Starts a stopped node again, at the same address and with what it knew; resolves when it answers. */
  async restartNode(node: LocalNode): Promise<void> {
    if (node.isRunning) await node.stop('SIGTERM');
    await node.start();
  }

  /** A new empty master that every running node knows. */
  async addNode(): Promise<LocalNode> {
    const [port] = await findFreePorts(1);
    if (port === undefined) throw failed('Cannot add a local node: no free port found');
    const shardId = this.#server.hasShardIds ? newId() : undefined;
    const member = { id: newId(), port, shardIndex: this.#nodes.length, shardId };
    const node = this.#create(member, [member]);
    await node.start();
    const others = this.#nodes.filter((other) => other !== node && other.isRunning);
    const contact = others[0];
    if (contact === undefined) throw failed('Cannot add a local node: no other node runs');
    await node.client().call('CLUSTER', 'MEET', contact.host, contact.port);
    const isKnown = await pollUntil(() => isKnownEverywhere(node, others), { timeoutMs: FORM_TIMEOUT_MS });
    if (!isKnown)
      throw failed(`Cannot add local node ${node.address}: the others do not know it after ${FORM_TIMEOUT_MS} ms`);
    return node;
  }

  /** Kills every node, closes every client and removes the folder. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const node of this.#nodes) node.closeClient();
    await Promise.all(this.#nodes.map((node) => node.stop('SIGKILL')));
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
    this.#cleaner.ref();
    const gone = once(this.#cleaner, 'exit');
    this.#cleaner.stdin?.end();
    await gone;
  }

  async #form(members: readonly Member[]): Promise<void> {
    const nodes = members.map((member) => this.#create(member, members));
    await Promise.all(nodes.map((node) => node.start()));
    for (const node of nodes) {
      const isReady = await pollUntil(() => isServing(node), { timeoutMs: FORM_TIMEOUT_MS });
      if (!isReady)
        throw failed(`Cannot form a local cluster: ${node.address} is not ready after ${FORM_TIMEOUT_MS} ms`);
    }
  }

  #create(member: Member, known: readonly Member[]): LocalNode {
    const node = new LocalNode({
      id: member.id,
      port: member.port,
      role: member.masterId === undefined ? 'master' : 'replica',
      shardIndex: member.shardIndex,
      server: this.#server.path,
      folder: join(this.#folder, String(member.port)),
      config: this.#config,
      tls: this.#tls,
      clusterState: clusterStateOf(member, known),
    });
    this.#nodes.push(node);
    return node;
  }
}

function configOf(options: LocalClusterOptions): Readonly<Record<string, string>> {
  return {
    'cluster-enabled': 'yes',
    'cluster-config-file': 'nodes.conf',
    'cluster-node-timeout': String(options.nodeTimeoutMs ?? 2000),
    save: '',
    appendonly: 'no',
    logfile: 'log',
    'repl-diskless-sync': 'yes',
    'repl-diskless-sync-delay': '0',
    ...options.config,
  };
}

async function planMembers(options: LocalClusterOptions, { hasShardIds }: LocalServer): Promise<Member[]> {
  const { masters = 3, replicas = 1 } = options;
  const ports = await findFreePorts(masters * (1 + replicas));
  if (ports.length < masters * (1 + replicas))
    throw failed('Cannot start a local cluster: not enough free ports found');
  const shardIds = Array.from({ length: hasShardIds ? masters : 0 }, newId);
  const members: Member[] = [];
  for (const [index, port] of ports.entries()) {
    const shardIndex = index % masters;
    const isMaster = index < masters;
    members.push({
      id: newId(),
      port,
      shardIndex,
      shardId: shardIds[shardIndex],
      masterId: isMaster ? undefined : members[shardIndex]?.id,
      slots: isMaster ? slotsOfShard(shardIndex, masters) : undefined,
    });
  }
  return members;
}

function slotsOfShard(index: number, count: number): readonly [number, number] {
  const first = (shard: number) => Math.floor((shard * SLOT_COUNT) / count);
  return [first(index), first(index + 1) - 1];
}

/** A nodes.conf: the cluster as `self` shall see it (the format of CLUSTER NODES). */
function clusterStateOf(self: Member, members: readonly Member[]): string {
  const lines = members.map(({ id, port, shardIndex, shardId, masterId, slots }) => {
    const flags = `${id === self.id ? 'myself,' : ''}${masterId === undefined ? 'master' : 'slave'}`;
    const epoch = slots === undefined && masterId === undefined ? 0 : shardIndex + 1;
    const range = slots === undefined ? '' : ` ${slots[0]}-${slots[1]}`;
    const shard = shardId === undefined ? '' : `,,shard-id=${shardId}`;
    return `${id} 127.0.0.1:${port}@${port + BUS_OFFSET}${shard} ${flags} ${masterId ?? '-'} 0 0 ${epoch} connected${range}\n`;
  });
  const newestEpoch = members.filter(({ slots }) => slots !== undefined).length;
  return `${lines.join('')}vars currentEpoch ${newestEpoch} lastVoteEpoch 0\n`;
}

async function isServing(node: LocalNode): Promise<boolean> {
  if (!(await cluster(node.client(), 'INFO')).includes('cluster_state:ok')) return false;
  return node.role === 'master' || (await node.client().info('replication')).includes('master_link_status:up');
}

async function isKnownEverywhere(node: LocalNode, others: readonly LocalNode[]): Promise<boolean> {
  const views = await Promise.all(others.map((other) => cluster(other.client(), 'NODES')));
  const own = await cluster(node.client(), 'NODES');
  const knowsIt = (view: string) =>
    view.split('\n').some((line) => line.startsWith(node.id) && !line.includes('handshake'));
  return views.every(knowsIt) && others.every((other) => own.includes(other.id));
}

async function cluster(client: Redis, subcommand: string): Promise<string> {
  return String(await client.call('CLUSTER', subcommand));
}

function newId(): string {
  return randomBytes(20).toString('hex');
}

/** Where a cluster will live, and who cleans up there. */
interface Place {
  /** Not made yet. */
  readonly folder: string;
  readonly cleaner: ChildProcess;
}

/**
 * The cleaner has its own process group, so that a signal for ours does not reach it; it must not keep us running either.
 * Until it says that it is ready it may still be in our group and end by such a signal: nothing is made before.
 */
async function preparePlace(): Promise<Place> {
  const folder = join(tmpdir(), `evalgate-cluster-${randomBytes(6).toString('hex')}`);
  const cleaner = spawn('sh', ['-c', CLEAN_UP, folder], { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
  const [word] = await Promise.race([once(cleaner.stdout, 'data'), once(cleaner.stdout, 'end')]);
  if (word === undefined)
    throw failed('Cannot start a local cluster: the shell that would clean up behind it has ended');
  cleaner.stdout.destroy();
  cleaner.unref();
  const input = cleaner.stdin as typeof cleaner.stdin & { unref?: () => void };
  input.unref?.();
  return { folder, cleaner };
}

function failed(message: string): OperatorError {
  return new OperatorError('EVALGATE_LOCAL_CLUSTER', message);
}
