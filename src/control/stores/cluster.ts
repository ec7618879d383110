/**
 * `scripting.store.type: cluster`: keys in the Redis Cluster itself, shared by all evalgates of the prefix.
 *
 *     <prefix>script:<sha>   `load 1732108790000\n<body>`; one slot each, so they spread over the shards
 *     <prefix>epoch          the epoch in force
 *     <prefix>channel        where loads and flushes are announced
 *
 * What must not happen twice differently (an entry that outranks, an epoch that never falls) is decided on the node, by
 * the scripts below. Scripts that came by EVAL expire a week after they were written last; nothing else bounds them.
 * Nothing is queued while the cluster is not there, and what is sent late does no harm: every operation may be repeated.
 */
import { once } from 'node:events';
import { Cluster, type Redis } from 'ioredis';
import { type Sha, shaOf } from '../../script/sha.ts';
import { tlsOptionsFor } from '../../upstream/node-tls.ts';
import type { ClusterAccess } from '../cluster-access.ts';
import {
  type Announcement,
  formatStamp,
  type OnDamaged,
  parseEpoch,
  parseStamp,
  type ScriptStore,
  type StoredScript,
} from './script-store.ts';

const TIMEOUT_MS = 1000;
const RECONNECT_MS = 200;
const SLOTS_REFRESH_MS = 2000;
const EVAL_LIFE_SECONDS = 7 * 86_400;
const PIECE = 64;
/** Longer than any stamp. */
const STAMP_BYTES = 32;

const STAMP = `
local held = redis.call('GETRANGE', KEYS[1], 0, ${STAMP_BYTES - 1})
local origin, epoch = string.match(held, '^(%a+) (%d+)\\n')
epoch = tonumber(epoch)`;

/** KEYS[1] the entry; ARGV epoch, origin, value, seconds to live or 0. */
const PUT = `${STAMP}
local coming = tonumber(ARGV[1])
if epoch and (epoch > coming or (epoch == coming and origin == 'load' and ARGV[2] == 'eval')) then return 0 end
redis.call('SET', KEYS[1], ARGV[3])
if ARGV[4] ~= '0' then redis.call('EXPIRE', KEYS[1], ARGV[4]) end
return 1`;

/** KEYS[1] the entry; ARGV epoch. */
const REMOVE_OLDER = `${STAMP}
if epoch and epoch < tonumber(ARGV[1]) then redis.call('DEL', KEYS[1]) end
return 1`;

/** KEYS[1] the epoch; ARGV the epoch that it is to be at least. */
const KEEP_EPOCH = `
local held = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
if held < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
return 1`;

export interface ClusterStoreOptions extends ClusterAccess {
  readonly prefix: string;
  readonly onDamaged: OnDamaged;
}

export class ClusterStore implements ScriptStore {
  readonly name: string;
  readonly #options: ClusterStoreOptions;
  #cluster: Cluster;
  #onAnnouncement: ((announcement: Announcement) => void) | undefined;
  readonly #entries: string;
  readonly #epochKey: string;
  readonly #channel: string;

  constructor(options: ClusterStoreOptions) {
    const { prefix } = options;
    this.name = `cluster "${prefix}"`;
    this.#options = options;
    this.#entries = `${prefix}script:`;
    this.#epochKey = `${prefix}epoch`;
    this.#channel = `${prefix}channel`;
    this.#cluster = connectTo(options);
  }

  /** Subscribes too, as soon as it can: without the channel everything works, only later. */
  async open(onAnnouncement: (announcement: Announcement) => void): Promise<void> {
    this.#onAnnouncement = onAnnouncement;
    const cluster = this.#cluster;
    this.#connect();
    if (cluster.status !== 'ready') await once(cluster, 'ready', { signal: AbortSignal.timeout(TIMEOUT_MS) });
  }

  /** The cluster is reached otherwise from now on; what is under way fails and is repeated by the keeper. */
  reach(access: ClusterAccess): void {
    const old = this.#cluster;
    this.#cluster = connectTo(access);
    if (this.#onAnnouncement !== undefined) this.#connect();
    old.disconnect();
  }

  #connect(): void {
    const cluster = this.#cluster;
    cluster.on('message', (channel: string, message: string) => {
      const announcement = channel === this.#channel ? parseAnnouncement(message) : undefined;
      if (announcement !== undefined) this.#onAnnouncement?.(announcement);
    });
    cluster.on('ready', () => void cluster.subscribe(this.#channel).catch(() => {}));
    cluster.connect().catch(() => {});
  }

  async epoch(): Promise<number> {
    return parseEpoch(await this.#cluster.get(this.#epochKey));
  }

  async keepEpoch(epoch: number): Promise<void> {
    await this.#cluster.eval(KEEP_EPOCH, 1, this.#epochKey, epoch);
  }

  async put(scripts: readonly StoredScript[]): Promise<void> {
    await settleAll(
      scripts.map(({ sha, body, origin, epoch }) => {
        const value = Buffer.concat([Buffer.from(`${formatStamp({ origin, epoch })}\n`), body]);
        const life = origin === 'load' ? 0 : EVAL_LIFE_SECONDS;
        return this.#cluster.eval(PUT, 1, this.#keyOf(sha), epoch, origin, value, life);
      }),
    );
  }

  async find(sha: Sha): Promise<StoredScript | undefined> {
    const key = this.#keyOf(sha);
    const value = await this.#cluster.getBuffer(key);
    if (value === null) return undefined;
    const headEnd = value.indexOf(0x0a);
    const stamp = parseStamp(value.toString('latin1', 0, Math.max(0, headEnd)));
    const body = value.subarray(headEnd + 1);
    if (stamp !== undefined && shaOf(body) === sha) return { sha, body, ...stamp };
    this.#options.onDamaged(key, stamp === undefined ? 'it has no stamp' : `its content has the sha ${shaOf(body)}`);
    return undefined;
  }

  async *all(): AsyncGenerator<readonly StoredScript[]> {
    for await (const shas of this.#shas()) {
      const found = await settleAll(shas.map((sha) => this.find(sha)));
      yield found.filter((script) => script !== undefined);
    }
  }

  async missing(scripts: readonly Pick<StoredScript, 'sha' | 'epoch'>[]): Promise<readonly Sha[]> {
    const missing: Sha[] = [];
    for (let at = 0; at < scripts.length; at += PIECE) {
      const piece = scripts.slice(at, at + PIECE);
      const heads = await settleAll(
        piece.map(({ sha }) => this.#cluster.getrange(this.#keyOf(sha), 0, STAMP_BYTES - 1)),
      );
      piece.forEach(({ sha, epoch }, i) => {
        const stamp = parseStamp(heads[i]?.split('\n')[0] ?? '');
        if (stamp === undefined || stamp.epoch < epoch) missing.push(sha);
      });
    }
    return missing;
  }

  async removeOlder(epoch: number): Promise<void> {
    for await (const shas of this.#shas()) {
      await settleAll(shas.map((sha) => this.#cluster.eval(REMOVE_OLDER, 1, this.#keyOf(sha), epoch)));
    }
  }

  async announce(announcement: Announcement): Promise<void> {
    await this.#cluster.publish(this.#channel, formatAnnouncement(announcement));
  }

  close(): void {
    this.#cluster.disconnect();
  }

  #keyOf(sha: Sha): string {
    return `${this.#entries}${sha}`;
  }

  /** The shas of all entries, by a scan of every master; some twice while slots move. */
  async *#shas(): AsyncGenerator<Sha[]> {
    const pattern = `${this.#entries.replaceAll(/[\\*?[\]^]/g, '\\$&')}*`;
    for (const node of this.#cluster.nodes('master')) {
      for await (const keys of scan(node, pattern)) {
        const shas = keys.map((key) => key.slice(this.#entries.length)).filter((sha) => /^[0-9a-f]{40}$/.test(sha));
        for (let at = 0; at < shas.length; at += PIECE) yield shas.slice(at, at + PIECE) as Sha[];
      }
    }
  }
}

function connectTo({ seeds, natMap, username, password, tls }: ClusterAccess): Cluster {
  const cluster = new Cluster(
    seeds.map(({ host, port }) => ({ host, port })),
    {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: () => RECONNECT_MS,
      slotsRefreshTimeout: TIMEOUT_MS,
      slotsRefreshInterval: SLOTS_REFRESH_MS,
      maxRedirections: 4,
      natMap: Object.fromEntries(natMap),
      // ioredis would ask for the address first, and hold that against the certificate instead of the name.
      ...(tls === undefined ? {} : { dnsLookup: (host, callback) => callback(null, host) }),
      redisOptions: {
        ...(username === undefined ? {} : { username }),
        ...(password === undefined ? {} : { password }),
        ...(tls === undefined ? {} : { tls: tlsOptionsFor(tls) }),
        connectTimeout: TIMEOUT_MS,
        commandTimeout: TIMEOUT_MS,
        autoResendUnfulfilledCommands: false,
        maxRetriesPerRequest: 0,
        connectionName: 'evalgate-store',
      },
    },
  );
  cluster.on('error', () => {});
  return cluster;
}

/** All results, or the first error once all are settled: none is left running, none unhandled. */
async function settleAll<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}

async function* scan(node: Redis, pattern: string): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    const [next, keys] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', 1000);
    yield keys;
    cursor = next;
  } while (cursor !== '0');
}

function formatAnnouncement(announcement: Announcement): string {
  return announcement.kind === 'loaded' ? `loaded ${announcement.sha}` : `flushed ${announcement.epoch}`;
}

function parseAnnouncement(message: string): Announcement | undefined {
  const [kind, value = ''] = message.split(' ');
  if (kind === 'loaded' && /^[0-9a-f]{40}$/.test(value)) return { kind, sha: value as Sha };
  const epoch = parseEpoch(value);
  return kind === 'flushed' && epoch > 0 ? { kind, epoch } : undefined;
}
