/**
 * WAIT and WAITAOF: how many replicas have this session's writes. Only the connections that carried the writes can be
 * asked, and the node reads nothing more from such a connection until it has answered, perhaps never. So while it
 * waits the connection is lent out of its pool: other sessions do not get it, and the pool may open another.
 *
 * A node waits for what had been written when the connection's last command ran, whatever that was (`woff` in Redis's
 * server.c up to 7.0). So a PING goes before it, which counts in what transactions and blocking commands wrote. From 7.2
 * on, and in Valkey, only a command counts that wrote: there the number may be that of an earlier write.
 *
 * As in Redis the client's next requests wait until it is answered. CLIENT UNBLOCK, and a stop, end it at the nodes.
 */
import { merge } from '../plan/merge.ts';
import { ANY_SLOT } from '../plan/plan.ts';
import { encodeCommand } from '../resp/encode.ts';
import { EVALGATE, errorLine } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { Connection } from '../upstream/connection.ts';
import { Exchange, IGNORE, type Sink } from '../upstream/exchange.ts';
import type { Dispatcher, Target } from './dispatcher.ts';
import { FanOut } from './fan-out.ts';
import { learnClientId, unblockAtNode } from './node-unblock.ts';

const PING = encodeCommand('PING');

export function startWait(dispatcher: Dispatcher, request: Request): void {
  const { session } = dispatcher;
  const parent = dispatcher.newExchange(session.runtime.planner.command, ANY_SLOT);
  session.expect(parent);
  const targets = writersOf(dispatcher);
  if (targets.length === 0) {
    return session.deliver(parent, errorLine(EVALGATE.noTopology));
  }
  session.holdOthers(parent);
  const lent = targets.map(({ link, connection }) => connection !== undefined && link.pool.lend(connection));
  const waiting = new Set<Connection>();
  session.client.unblock = (how) => unblockAtNode(waiting, how);
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
    if (target.connection === undefined || lent[index]) {
      if (target.connection !== undefined) {
        dispatcher.lent.add(target.connection);
        waiting.add(target.connection);
        learnClientId(target.connection);
        target.connection.sendOwn(new Exchange(IGNORE, 0, undefined, ANY_SLOT), PING);
      }
      dispatcher.sendPart(fanOut, index, { ...target, source: request });
    } else {
      const { node, options } = target.link.pool;
      fanOut.collect(index, errorLine(EVALGATE.tooManyDedicated(node.address, options.maxDedicated)));
    }
  });
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
