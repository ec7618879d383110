/**
 * PUBSUB: asks every node, replicas too, and merges. A replica that does not answer is left out, a master is not.
 */
import type { Command } from '../command/table.ts';
import { isErrorReply } from '../plan/merge.ts';
import { mergePubSub } from '../plan/merge-pubsub.ts';
import { ANY_SLOT } from '../plan/plan.ts';
import { EVALGATE, errorLine } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { Dispatcher } from './dispatcher.ts';
import { FanOut } from './fan-out.ts';

export function startPubSub(dispatcher: Dispatcher, command: Command, request: Request): void {
  const { session } = dispatcher;
  const parent = dispatcher.newExchange(command, ANY_SLOT);
  session.expect(parent);
  const targets = dispatcher.targets('nodes');
  if (targets.length === 0) return session.deliver(parent, errorLine(EVALGATE.noTopology));
  const masters = new Set(session.topology.shards.map(({ primary }) => primary.address));
  const fanOut = new FanOut(parent, targets.length, {
    onComplete: (replies) => {
      const ofMasters = replies.filter((_, i) => masters.has(targets[i]?.link.pool.node.address ?? ''));
      const error = ofMasters.find(isErrorReply);
      const answers = replies.filter((reply) => !isErrorReply(reply));
      dispatcher.settleMerged(parent, error ?? mergePubSub(command.name, answers), '');
    },
  });
  targets.forEach((target, index) => {
    dispatcher.sendPart(fanOut, index, { ...target, source: request });
  });
}
