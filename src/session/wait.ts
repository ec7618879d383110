/**
 * WAIT and WAITAOF: how many replicas have this session's writes. Only the connections that carried the writes can be
 * asked, and the node reads nothing more from such a connection until it has answered, perhaps never. So while it
 * waits the connection is lent out of its pool: other sessions do not get it, and the pool may open another.
 *
 * What EXEC and blocking commands wrote went over connections that are others' by now, and a connection that did not
 * write itself tells of an earlier offset (from Redis 7.2 on, and in Valkey). At such a node the offsets of the replicas are
 * looked at instead (offset-wait.ts); they do not tell what is on a disk, so WAITAOF is refused there.
 *
 * As in Redis the client's next requests wait until it is answered. CLIENT UNBLOCK, and a stop, end it at the nodes.
 */
import { merge } from '../plan/merge.ts';
import { ANY_SLOT } from '../plan/plan.ts';
import { EVALGATE, errorLine } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { Connection } from '../upstream/connection.ts';
import type { Sink } from '../upstream/exchange.ts';
import type { Dispatcher, Target } from './dispatcher.ts';
import { FanOut } from './fan-out.ts';
import { learnClientId, unblockAtNode } from './node-unblock.ts';
import { OffsetWait, type Wanted } from './offset-wait.ts';

const AOF_REASON =
  'no connection can tell what is on disk of what EXEC, a blocking command or another connection wrote';

export function startWait(dispatcher: Dispatcher, request: Request): void {
  const { session } = dispatcher;
  const targets = writersOf(dispatcher);
  const wanted = wantedBy(request);
  const isByOffset = targets.map(({ link }) => link.wroteApart && wanted !== undefined);
  // What is in flight over other connections must have been written.
  if (isByOffset.some(Boolean) && session.inFlightCount > 0) return session.dispatchWhenIdle(request);
  const parent = dispatcher.newExchange(session.runtime.planner.command, ANY_SLOT);
  session.expect(parent);
  if (targets.length === 0) {
    return session.deliver(parent, errorLine(EVALGATE.noTopology));
  }
  if (isByOffset.some(Boolean) && parent.command?.name === 'waitaof') {
    return session.deliver(parent, errorLine(EVALGATE.notSupported('WAITAOF', AOF_REASON)));
  }
  session.holdOthers(parent);
  const lent = targets.map(
    ({ link, connection }, i) => !isByOffset[i] && connection !== undefined && link.pool.lend(connection),
  );
  const waiting = new Set<Connection>();
  const byOffset: OffsetWait[] = [];
  session.client.unblock = (how) => {
    const wereWaiting = byOffset.filter((one) => one.unblock(how)).length > 0;
    return unblockAtNode(waiting, how) || wereWaiting;
  };
  const fanOut = new FanOut(parent, targets.length, {
    onPart: (index) => {
      const target = targets[index];
      if (!lent[index] || target?.connection === undefined) return;
      waiting.delete(target.connection);
      dispatcher.takeBack(target.link.pool, target.connection);
    },
    onComplete: (replies) => {
      session.client.unblock = undefined;
      dispatcher.settleMerged(parent, merge('agg_min', replies), '');
    },
  });
  targets.forEach((target, index) => {
    const { link, connection } = target;
    if (wanted !== undefined && isByOffset[index]) {
      byOffset.push(new OffsetWait(session, link.pool.node, wanted, (reply) => fanOut.collect(index, reply)));
    } else if (connection === undefined || lent[index]) {
      if (connection !== undefined) {
        dispatcher.lent.add(connection);
        waiting.add(connection);
        learnClientId(connection);
      }
      dispatcher.sendPart(fanOut, index, { ...target, source: request });
    } else {
      const { node, options } = link.pool;
      fanOut.collect(index, errorLine(EVALGATE.tooManyDedicated(node.address, options.maxDedicated)));
    }
  });
}

/** WAIT replicas timeout, WAITAOF local replicas timeout; undefined when it is for the node to refuse. */
function wantedBy(request: Request): Wanted | undefined {
  const [replicas, timeoutMs] = [request.integerAt(request.argc - 2), request.integerAt(request.argc - 1)];
  return replicas >= 0 && timeoutMs >= 0 ? { replicas, timeoutMs } : undefined;
}

/**
 * The client is gone, and nobody reads what its connection waits for. If others wait there too its own WAIT is ended, or, when
 * it is not the one that the node is at, the connection with the next that is over.
 */
export function leaveWait(connection: Connection, sink: Sink): void {
  if (connection.lentCount <= 1) return connection.close();
  connection.lentCount--;
  const isOurs = connection.head?.sink === sink;
  if (!isOurs || !unblockAtNode([connection], 'timeout')) connection.isAbandoned = true;
}

/** Where the session has written; without a write, everywhere. A broadcast may have written to replicas too: they refuse. */
function writersOf(dispatcher: Dispatcher): Target[] {
  const { shards } = dispatcher.session.topology;
  const primaries = new Set(shards.map((shard) => shard.primary.address));
  const writers = dispatcher.links.writers.filter(({ link }) => primaries.has(link.pool.node.address));
  return writers.length > 0 ? writers : dispatcher.targets('shards');
}
