/**
 * What tests do to a real cluster: move slots step by step, fail over, freeze nodes, wait for states. The cluster itself
 * is LocalCluster (src/control/local-cluster.ts).
 */
import assert from 'node:assert/strict';
import { slotOf } from '../../src/cluster/slot.ts';
import type { LocalCluster, LocalNode } from '../../src/control/local-cluster.ts';
import { pollUntil } from '../../src/control/poll.ts';

const WAIT_MS = 30_000;
const MIGRATE_TIMEOUT_MS = 5000;
/** How long a node tries, and a little more. */
const MANUAL_FAILOVER_MS = 6000;
const MAX_KEYS_IN_SLOT = 100_000;

/** One slot on its way between two masters. */
export interface SlotMove {
  readonly slot: number;
  readonly from: LocalNode;
  readonly to: LocalNode;
}

export function slotOfKey(key: string): number {
  const bytes = Buffer.from(key);
  return slotOf(bytes, 0, bytes.length);
}

/** A hash tag, braces included, whose keys lie in the slot: `${tagInSlot(7)}:counter`. */
export function tagInSlot(slot: number): string {
  for (let i = 0; ; i++) {
    const tag = `{${i.toString(36)}}`;
    if (slotOfKey(tag) === slot) return tag;
  }
}

/** Resolves when the condition holds; fails the test with `what` after 30 s. Errors of the condition count as "not yet". */
export async function waitFor(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  const holds = async () => {
    try {
      return await condition();
    } catch {
      return false;
    }
  };
  assert.ok(await pollUntil(holds, { timeoutMs: WAIT_MS }), `waited ${WAIT_MS} ms in vain: ${what}`);
}

/** Step 1: from now on the old owner redirects keys that it lacks with ASK. */
export async function beginSlotMove({ slot, from, to }: SlotMove): Promise<void> {
  await to.client().call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id);
  await from.client().call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id);
}

/**
 * Step 2, as often as wanted: moves up to `count` keys; resolves to how many there were to move. In the order of their
 * names, in which servers before Redis 7.4 and Valkey 8 give them; newer ones give them in the order of their hashes.
 */
export async function moveKeys({ slot, from, to }: SlotMove, count = 1000): Promise<number> {
  const all = (await from.client().call('CLUSTER', 'GETKEYSINSLOT', slot, MAX_KEYS_IN_SLOT)) as string[];
  const keys = all.sort().slice(0, count);
  if (keys.length === 0) return 0;
  await from.client().call('MIGRATE', to.host, to.port, '', 0, MIGRATE_TIMEOUT_MS, 'KEYS', ...keys);
  return keys.length;
}

/** Step 3: the new owner first, so that there is one at any time; then the old one and all other masters. */
export async function endSlotMove({ slot, to, from }: SlotMove, cluster: LocalCluster): Promise<void> {
  const others = cluster.nodes.filter((node) => node !== to && node !== from && node.isRunning);
  for (const node of [to, from, ...others]) {
    const setSlot = node.client().call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id);
    // Replicas refuse; they hear of it from their masters.
    await (others.includes(node) ? setSlot.catch(() => {}) : setSlot);
  }
}

/** All three steps for each slot, keys included. */
export async function moveSlots(
  cluster: LocalCluster,
  slots: readonly number[],
  { from, to }: Pick<SlotMove, 'from' | 'to'>,
): Promise<void> {
  for (const slot of slots) {
    const move = { slot, from, to };
    await beginSlotMove(move);
    while ((await moveKeys(move)) > 0);
    await endSlotMove(move, cluster);
  }
}

/** A manual failover: resolves when the replica is master and every running node agrees. No acknowledged write is lost. */
export async function failOver(cluster: LocalCluster, replica: LocalNode): Promise<void> {
  await promote(replica);
  await waitUntilAgreed(cluster);
}

/**
 * A manual failover, until the replica says that it is master. It gives up after 5 s when its master does not stand still
 * in time, or the other masters do not vote, which they do only once in twice the node timeout for each shard: on a busy
 * machine it takes another attempt.
 */
export async function promote(replica: LocalNode): Promise<void> {
  await waitFor(`${replica.address} becomes master`, async () => {
    if (await isMaster(replica)) return true;
    await replica.client().call('CLUSTER', 'FAILOVER');
    return await pollUntil(() => isMaster(replica), { timeoutMs: MANUAL_FAILOVER_MS });
  });
}

export async function isMaster(node: LocalNode): Promise<boolean> {
  const [role] = (await node.client().call('ROLE')) as [string];
  return role === 'master';
}

/** The node stops answering, its connections stay open. `LocalCluster.stop` ends frozen nodes too. */
export function freeze(node: LocalNode): void {
  process.kill(node.pid, 'SIGSTOP');
}

export function thaw(node: LocalNode): void {
  process.kill(node.pid, 'SIGCONT');
}

/** After a master was killed or frozen: waits until a replica has its slots and all others agree. */
export async function waitUntilReplaced(cluster: LocalCluster, master: LocalNode): Promise<void> {
  const nodes = cluster.nodes.filter((node) => node.isRunning && node !== master);
  await waitFor(`${master.address} is replaced`, async () => {
    const views = await Promise.all(nodes.map(ownersSeenBy));
    return views.every((view) => !view.includes(master.id));
  });
  await waitUntilAgreed(cluster, [master]);
}

/** Waits until every node that runs (and is not frozen) is ok and tells the same owner for every slot. */
export async function waitUntilAgreed(cluster: LocalCluster, except: readonly LocalNode[] = []): Promise<void> {
  const nodes = cluster.nodes.filter((node) => node.isRunning && !except.includes(node));
  await waitFor('all nodes agree', async () => {
    const views = await Promise.all(nodes.map(ownersSeenBy));
    const states = await Promise.all(nodes.map((node) => node.client().call('CLUSTER', 'INFO')));
    return new Set(views).size === 1 && states.every((state) => String(state).includes('cluster_state:ok'));
  });
}

/** The master that serves the slot now, as the first running node that is not excepted sees it. */
export async function ownerOf(
  cluster: LocalCluster,
  slot: number,
  except: readonly LocalNode[] = [],
): Promise<LocalNode> {
  const witness = cluster.nodes.find((node) => node.isRunning && !except.includes(node));
  assert.ok(witness, 'no node runs');
  const row = (await slotRows(witness)).find(([first, last]) => first <= slot && slot <= last);
  const owner = cluster.nodes.find((node) => node.id === row?.[2][2]);
  assert.ok(owner, `nobody owns slot ${slot}`);
  return owner;
}

type SlotRow = [first: number, last: number, master: [host: string, port: number, id: string]];

async function slotRows(node: LocalNode): Promise<SlotRow[]> {
  return (await node.client().call('CLUSTER', 'SLOTS')) as SlotRow[];
}

async function ownersSeenBy(node: LocalNode): Promise<string> {
  const rows = await slotRows(node);
  return rows
    .map(([first, last, [, , id]]) => `${first}-${last} ${id}`)
    .sort()
    .join('\n');
}

/** Master and a running replica of the shard that owns the slot. */
export async function shardOf(cluster: LocalCluster, slot: number): Promise<{ master: LocalNode; replica: LocalNode }> {
  const master = await ownerOf(cluster, slot);
  for (const node of cluster.nodes) {
    if (node.isRunning && node.shardIndex === master.shardIndex && node !== master && !(await isMaster(node))) {
      return { master, replica: node };
    }
  }
  throw new Error('the shard has no replica');
}

export async function waitUntilInSync(cluster: LocalCluster): Promise<void> {
  await waitFor('all replicas are in sync', async () => {
    const infos = await Promise.all(cluster.nodes.map((node) => node.client().info('replication')));
    return infos.every((info) => info.includes('role:master') || info.includes('master_link_status:up'));
  });
}
