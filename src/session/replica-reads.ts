/**
 * Reads that go to a replica of their slot's shard: which replica, and what becomes of those that it does not answer.
 *
 *     plan says isReplicaRead ─▶ slot moves: primary
 *                             ├▶ the session's own replica ─▶ the next one … ─▶ none is usable: primary
 *                             └▶ sent ─▶ lost, or refused (MOVED, LOADING, MASTERDOWN …) ─▶ primary, at once, once
 *
 * A session keeps to one replica of each shard while it can, so that it does not see the data go back; others have
 * others. Nothing here writes, so the same request may run at both, and no witness is needed.
 */
import type { Node } from '../cluster/topology.ts';
import { ANY_SLOT } from '../plan/plan.ts';
import { needsLoading, type Source } from '../upstream/call-sender.ts';
import type { Connection } from '../upstream/connection.ts';
import type { Exchange } from '../upstream/exchange.ts';
import type { Link } from '../upstream/link.ts';
import { isOccupied } from '../upstream/pool.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { Cause } from './repairs.ts';
import type { Session } from './session.ts';

/** Sends a read to a replica; false when the primary has to answer it. */
export function sendToReplica(dispatcher: Dispatcher, exchange: Exchange, source: Source): boolean {
  const { runtime, client } = dispatcher.session;
  exchange.isReplicaRead = false;
  if (dispatcher.isWatching) return false;
  if (exchange.slot !== ANY_SLOT && runtime.movingSlots.has(exchange.slot, runtime.turn.now())) return false;
  const replicas = dispatcher.shardFor(exchange.slot)?.replicas ?? [];
  for (let i = 0; i < replicas.length; i++) {
    const link = dispatcher.links.to(replicas[(client.id + i) % replicas.length] as Node);
    const connection = usableConnection(link, exchange, runtime.readFrom === 'prefer_replica');
    if (connection === undefined) continue;
    exchange.isReplicaRead = true;
    runtime.counters.replicaReads++;
    dispatcher.sendOver(exchange, { link, connection, source, isAsking: false });
    dispatcher.session.countInFlight(exchange);
    return true;
  }
  return false;
}

function usableConnection(link: Link, { call }: Exchange, isHasty: boolean): Connection | undefined {
  if (!link.pool.isReadable) return undefined;
  const connection = link.take();
  // One that is being opened may fail: the primary has one that works.
  if (connection === undefined || connection.state !== 'ready') return undefined;
  if (isHasty && isOccupied(connection)) return undefined;
  return call !== undefined && needsLoading(call, connection) ? undefined : connection;
}

/** What is to be done with a request that needs repair: if a replica did not answer it, the primary does. */
export function afterReplica(session: Session, exchange: Exchange, cause: Cause): Cause {
  if (!exchange.isReplicaRead) return cause;
  if (cause.kind === 'judged') {
    const { kind } = cause.verdict;
    // The replica lacks the script, or the user may not: that is mended there.
    if (kind === 'deliver' || kind === 'heal' || kind === 'denial') return cause;
    // What a script says may be its own words: nothing is learned from it.
    if (exchange.call === undefined) learnFrom(session, exchange, kind);
  }
  session.runtime.counters.replicaFallbacks++;
  return { kind: 'at_primary' };
}

/** So that the next reads do not take the same way round. */
function learnFrom({ runtime }: Session, { slot, connection }: Exchange, kind: string): void {
  if (connection === undefined) return;
  if (kind !== 'redirect') {
    connection.pool.facts.isInSync = false;
    return;
  }
  // No longer of that shard; or the connection was opened before it was a replica, and nobody told it.
  if (slot !== ANY_SLOT) runtime.movingSlots.note(slot, runtime.turn.now());
  connection.pool.sayRole(connection);
  void runtime.refresh(undefined);
}
