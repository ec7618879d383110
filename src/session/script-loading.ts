/**
 * Scripts of users whose ACL does not let them send bodies: loaded by the proxy's own user before they are called by sha.
 * The FLUSH that follows a SCRIPT FLUSH takes the same connections (`Pool.flushScripts`), so nothing comes back behind it.
 */
import type { Node } from '../cluster/topology.ts';
import { ANY_SLOT } from '../plan/plan.ts';
import type { Script } from '../script/script.ts';
import { loadCommand } from '../upstream/call-sender.ts';
import { Exchange, type Failure, IGNORE } from '../upstream/exchange.ts';
import type { Session } from './session.ts';

export interface LoadEvents {
  /** The node has answered, whatever it said: if a script is not there, it says so to the call. */
  readonly onLoaded: () => unknown;
  readonly onFailure: (failure: Failure) => unknown;
}

/** Loads at least one script on a node; tells once, which may be at once. */
export function loadScripts(
  session: Session,
  what: { node: Node; scripts: readonly Script[] },
  events: LoadEvents,
): void {
  const pool = session.runtime.upstream.ownOf(what.node);
  const connection = pool.pick(undefined);
  if (connection === undefined) {
    events.onFailure({ kind: 'not_sent', node: what.node, reason: pool.problem });
    return;
  }
  // Replies come in order: the last one tells of all.
  const last = what.scripts.length - 1;
  const sink = {
    onReply: () => session.guard(() => events.onLoaded()),
    onFailure: (_: Exchange, failure: Failure) => session.guard(() => events.onFailure(failure)),
  };
  for (const [index, script] of what.scripts.entries()) {
    connection.sendOwn(new Exchange(index === last ? sink : IGNORE, 0, undefined, ANY_SLOT), loadCommand(script));
  }
}
