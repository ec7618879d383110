/**
 * What a reply says of the connection and the script it came over, beside what it says to the client.
 */
import { judge, type Verdict } from '../plan/judge.ts';
import type { Exchange } from '../upstream/exchange.ts';

/** What is to be done about an error reply: the application's business, or ours. */
export function verdictOf(exchange: Exchange, reply: Buffer): Verdict {
  const { call, slot, connection } = exchange;
  // Refused or failed: whether the node has the body now is not known.
  if (call?.script !== undefined && call.bytesForm === 'eval') connection?.marks.delete(call.script);
  const judged = {
    slot,
    isCall: call !== undefined,
    isFunction: call?.form === 'function',
    wentAsEvalsha: call?.bytesForm === 'evalsha',
    isOurForm: call !== undefined && call.form !== call.bytesForm,
    isWitness: false,
  };
  return judge(reply, judged, connection?.pool.facts.noscript);
}

/** A reply that is no error: a body that went up was allowed to. */
export function noteSuccess({ call }: Exchange): void {
  if (call?.script !== undefined && call.bytesForm === 'eval') call.script.isAccepted = true;
}
