/**
 * What a client is told when its request got no reply: which node, what happened, and whether it may have run.
 */
import { EVALGATE, errorLine } from '../resp/errors.ts';
import type { Failure } from '../upstream/exchange.ts';

/** The error reply for a request that got no reply. */
export function failureLine({ kind, node, reason }: Failure): Buffer {
  switch (kind) {
    case 'not_sent':
      return errorLine(EVALGATE.notSent(node.address, reason));
    case 'refused':
      return errorLine(EVALGATE.loginRefused(node.address, reason));
    case 'silent':
      return errorLine(EVALGATE.silent(node.address, reason));
    case 'desynchronized':
      return errorLine(EVALGATE.desynchronized(node.address));
    case 'too_large':
      return errorLine(EVALGATE.replyTooLarge(node.address, reason));
    case 'lost':
      return errorLine(EVALGATE.lost(node.address));
  }
}
