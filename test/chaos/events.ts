/**
 * What is done to the cluster and the evalgates while clients count: each event with what it may cost. Whoever runs one
 * waits for calm before and after it.
 */
import assert from 'node:assert/strict';
import type { LocalNode } from '../../src/control/local-cluster.ts';
import { pollUntil } from '../../src/control/poll.ts';
import { RawClient } from '../support/client.ts';
import {
  beginSlotMove,
  endSlotMove,
  freeze,
  isMaster,
  moveKeys,
  ownerOf,
  promote,
  thaw,
  waitFor,
  waitUntilAgreed,
  waitUntilReplaced,
} from '../support/cluster.ts';
import { type Allowance, NOTHING } from './books.ts';
import { FAILOVER_MS, slotsOfShard, type World } from './world.ts';

export interface Outcome {
  /** How often it was done, as the table says it. */
  readonly times: number;
  /** From the blow until another master had the slots, and until every client was told of an increment there. */
  readonly recovery?: Recovery;
  /** What it was to provoke, and did not. */
  readonly proofMissing?: string;
}

export interface Recovery {
  readonly clusterMs: number;
  readonly clientsMs: number;
  /** So much later than the cluster clients may be. */
  readonly boundMs: number;
}

export interface ChaosEvent {
  readonly id: string;
  readonly title: string;
  readonly allows: Allowance;
  /** `round` counts from 0 and chooses the shard. */
  readonly run: (world: World, round: number) => Promise<Outcome>;
}

/** Requests behind one that was refused, or that lacked its script all of a sudden, may run before it (C3). */
const DISORDER: Allowance = { errors: 'none', losses: false, disorder: true };
const HONEST_ERRORS: Allowance = { errors: 'honest', losses: false, disorder: true };
const HONEST_LOSSES: Allowance = { errors: 'honest', losses: true, disorder: true };
const OWN_CONNECTION: Allowance = { errors: 'own_connection', losses: false, disorder: false };

const RECOVERY_MS = 1000;
/** Silence is no proof: a frozen node gets another second, after it was replaced, before its connections are given up. */
const FROZEN_RECOVERY_MS = 2000;
/** Pipelines in which every client has called its scripts at every node, so that each worker has noticed what went missing. */
const CALLED_ONCE_MORE = 50;
const LOOK_EVERY_MS = 10;
/** How long the clients have to hear of a flush that came by another evalgate. */
const FLUSH_HEARD_MS = 1500;

export const EVENTS: readonly ChaosEvent[] = [
  { id: 'flush-nodes', title: 'SCRIPT FLUSH on every node', allows: DISORDER, run: flushNodes },
  { id: 'failover', title: 'manual failover', allows: NOTHING, run: failOverByHand },
  { id: 'reshard', title: 'slots move to a new node and back', allows: DISORDER, run: reshard },
  {
    id: 'reshard-flush',
    title: 'the same, and SCRIPT FLUSH on every node all the while',
    allows: DISORDER,
    run: reshardAndFlush,
  },
  { id: 'restart-replica', title: 'restart of a replica', allows: NOTHING, run: restartReplica },
  { id: 'restart-master', title: 'restart of a master, no failover', allows: HONEST_ERRORS, run: restartMaster },
  { id: 'crash-master', title: 'kill -9 of a master, back at once', allows: HONEST_ERRORS, run: crashMaster },
  { id: 'shutdown', title: 'SHUTDOWN of a master, failover', allows: HONEST_ERRORS, run: shutDownMaster },
  { id: 'kill-master', title: 'kill -9 of a master, failover', allows: HONEST_LOSSES, run: killMaster },
  { id: 'freeze-master', title: 'SIGSTOP of a master, failover, SIGCONT', allows: HONEST_LOSSES, run: freezeMaster },
  { id: 'kill-evalgate', title: 'kill -9 of one of two evalgates', allows: OWN_CONNECTION, run: killEvalgate },
  { id: 'kill-worker', title: 'kill -9 of each worker of an evalgate', allows: OWN_CONNECTION, run: killWorkers },
  { id: 'flush-evalgate', title: 'SCRIPT FLUSH through evalgate', allows: DISORDER, run: flushThroughEvalgate },
];

async function flushNodes(world: World): Promise<Outcome> {
  const before = await world.errorCount('NOSCRIPT');
  const times = 10;
  for (let i = 0; i < times; i++) {
    for (const node of world.cluster.nodes) await node.client().script('FLUSH');
    await world.load.progress(10);
  }
  await settleScripts(world);
  const healed = (await world.errorCount('NOSCRIPT')) - before;
  return { times, ...(healed > 0 ? {} : { proofMissing: 'no node ever said NOSCRIPT' }) };
}

async function restartReplica(world: World, round: number): Promise<Outcome> {
  const replica = await world.replicaOf(round % 3);
  await world.cluster.restartNode(replica);
  return { times: 1 };
}

/** It is back before anybody takes it for dead, with what it wrote to disk. */
async function restartMaster(world: World, round: number): Promise<Outcome> {
  const master = await world.masterOf(round % 3);
  await world.cluster.restartNode(master);
  assert.ok(await isMaster(master), 'it was to come back before its replica takes over');
  return { times: 1 };
}

/** It had written to disk what it acknowledged. */
async function crashMaster(world: World, round: number): Promise<Outcome> {
  const master = await world.masterOf(round % 3);
  await world.cluster.stopNode(master, 'SIGKILL');
  await world.cluster.restartNode(master);
  assert.ok(await isMaster(master), 'it was to come back before its replica takes over');
  return { times: 1 };
}

/** It lets its replica catch up before it goes, so nothing is lost. */
async function shutDownMaster(world: World, round: number): Promise<Outcome> {
  return await replace(world, round, async (master) => {
    await world.cluster.stopNode(master, 'SIGTERM');
    return () => world.cluster.restartNode(master);
  });
}

async function killMaster(world: World, round: number): Promise<Outcome> {
  return await replace(world, round, async (master) => {
    await world.cluster.stopNode(master, 'SIGKILL');
    return () => world.cluster.restartNode(master);
  });
}

async function freezeMaster(world: World, round: number): Promise<Outcome> {
  const blow: Blow = async (master) => {
    freeze(master);
    return () => {
      thaw(master);
      return waitFor('the thawed node is a replica', async () => !(await isMaster(master)));
    };
  };
  return await replace(world, round, blow, FROZEN_RECOVERY_MS);
}

type Blow = (master: LocalNode) => Promise<() => Promise<void>>;

/** A master is struck down, its replica takes over, then it comes back. */
async function replace(world: World, round: number, strike: Blow, boundMs = RECOVERY_MS): Promise<Outcome> {
  const shard = round % 3;
  const [master, replica] = [await world.masterOf(shard), await world.replicaOf(shard)];
  await world.expectFailover(true);
  const startedMs = performance.now();
  const revive = await strike(master);
  // No replica takes over sooner than that: what is acknowledged before it comes from the old master.
  const recovered = pollUntil(() => performance.now() - startedMs > FAILOVER_MS / 2, { timeoutMs: FAILOVER_MS }).then(
    () => world.load.recovery(slotsOfShard(shard)),
  );
  const [replacedMs, recoveredMs] = await Promise.all([whenReplaced(world, { master, replica }), recovered]);
  await waitUntilReplaced(world.cluster, master);
  await revive();
  await world.expectFailover(false);
  const [clusterMs, clientsMs] = [replacedMs - startedMs, recoveredMs - startedMs];
  return { times: 1, recovery: { clusterMs, clientsMs, boundMs } };
}

/** When every other master says that the replica has the slots, and it serves them. */
async function whenReplaced(
  { cluster }: World,
  { master, replica }: { master: LocalNode; replica: LocalNode },
): Promise<number> {
  const others = cluster.nodes.filter((node) => node !== master && node !== replica && node.isRunning);
  const isReplaced = async (): Promise<boolean> => {
    if (!(await isMaster(replica))) return false;
    const info = String(await replica.client().call('CLUSTER', 'INFO'));
    if (!info.includes('cluster_state:ok')) return false;
    const views = await Promise.all(others.map((node) => node.client().call('CLUSTER', 'SLOTS')));
    return views.every((view) => !JSON.stringify(view).includes(master.id) || ownsNothing(view, master));
  };
  const timeoutMs = 30_000;
  assert.ok(await pollUntil(isReplaced, { timeoutMs, everyMs: LOOK_EVERY_MS }), `no failover in ${timeoutMs} ms`);
  return performance.now();
}

/** It may still be listed, as a replica. */
function ownsNothing(view: unknown, node: LocalNode): boolean {
  return (view as [number, number, [string, number, string]][]).every(([, , [, , id]]) => id !== node.id);
}

async function failOverByHand(world: World, round: number): Promise<Outcome> {
  const replica = await world.replicaOf(round % 3);
  await world.prepareElection();
  await promote(replica);
  await world.expectFailover(false);
  return { times: 1 };
}

/** Keys move one by one, so that scripts of two keys find them on both sides. */
async function reshard(world: World, round: number): Promise<Outcome> {
  const { cluster } = world;
  const before = await world.errorCount('ASK');
  const added = cluster.nodes.find((node) => node.shardIndex >= 3) ?? (await cluster.addNode());
  await waitUntilAgreed(cluster);
  const slots = slotsOfShard(round % 3).slice(0, 3);
  for (const slot of slots) await moveSlot(world, slot, added);
  await world.load.progress(3);
  const home = await world.masterOf(round % 3);
  for (const slot of slots) await moveSlot(world, slot, home);
  const asked = (await world.errorCount('ASK')) - before;
  return { times: slots.length * 2, ...(asked > 0 ? {} : { proofMissing: 'no node ever said ASK' }) };
}

/** A body goes to the target of ASK again and again, and every script goes missing again and again. */
async function reshardAndFlush(world: World, round: number): Promise<Outcome> {
  let isDone = false;
  const flushing = (async () => {
    while (!isDone) {
      for (const node of world.cluster.nodes) await node.client().script('FLUSH');
      await world.load.progress(1);
    }
  })();
  const outcome = await reshard(world, round);
  isDone = true;
  await flushing;
  await settleScripts(world);
  return outcome;
}

/**
 * Bringing a script back that went missing unforeseen may change the order once more (C3): so every script that is called
 * when all is quiet is called before. Those that are called now and then are not called again.
 */
async function settleScripts({ load }: World): Promise<void> {
  load.forgetScripts();
  await load.progress(CALLED_ONCE_MORE);
}

async function moveSlot({ cluster, load }: World, slot: number, to: LocalNode): Promise<void> {
  const move = { slot, from: await ownerOf(cluster, slot), to };
  await beginSlotMove(move);
  for (let moved = 0; (await moveKeys(move, 1)) > 0; moved++) {
    if (moved === 1) await load.progress(1);
  }
  await endSlotMove(move, cluster);
}

async function killEvalgate(world: World, round: number): Promise<Outcome> {
  const evalgate = world.evalgates[round % world.evalgates.length];
  assert.ok(evalgate);
  // What a failover took from the store is written back by the evalgate that holds it, unless that dies before.
  await waitFor('the store has all scripts', async () => (await world.load.missingInStore()) === 0);
  await evalgate.stop('SIGKILL');
  await world.load.progress(20);
  await evalgate.start();
  world.load.goHome();
  await world.load.progress(3);
  return { times: 1 };
}

/** One after the other, so that somebody serves. */
async function killWorkers(world: World): Promise<Outcome> {
  const [evalgate] = world.evalgates;
  assert.ok(evalgate);
  await waitFor('the store has all scripts', async () => (await world.load.missingInStore()) === 0);
  const { length } = evalgate.workers;
  for (let worker = 0; worker < length; worker++) {
    await evalgate.killWorker(worker);
    await world.load.progress(10);
  }
  return { times: length, ...(length > 1 ? {} : { proofMissing: 'the evalgate has no workers' }) };
}

/** From here on NOSCRIPT is right until the clients have brought their scripts again. */
async function flushThroughEvalgate(world: World, round: number): Promise<Outcome> {
  const { books } = world.load.stretch;
  books.expectsNoscript = true;
  const client = await RawClient.connect(world.load.portFor(round));
  assert.equal(await client.text('SCRIPT', 'FLUSH'), '+OK\r\n');
  client.close();
  const flushedMs = performance.now();
  await waitFor('all scripts are known again', () => {
    const quietSinceMs = Math.max(flushedMs + FLUSH_HEARD_MS, books.lastNoscriptAtMs);
    return performance.now() - quietSinceMs > FLUSH_HEARD_MS;
  });
  world.load.forgetScripts();
  // Long enough for every client to have called every script that all know.
  await world.load.progress(20);
  books.expectsNoscript = false;
  await world.load.progress(20);
  return { times: 1, ...(books.noscriptCount > 0 ? {} : { proofMissing: 'nobody was told NOSCRIPT' }) };
}
