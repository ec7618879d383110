/** One question to one node, over a connection of its own: a busy node reads no others. */
import type { Node } from '../cluster/topology.ts';
import { ANY_SLOT } from '../plan/plan.ts';
import { Exchange } from '../upstream/exchange.ts';
import { failureLine } from './failure-line.ts';
import type { Session } from './session.ts';

/** Asks a node over a connection that carries nothing else, and is closed afterwards. */
export function askAlone(
  session: Session,
  what: { node: Node; frame: Buffer },
  onReply: (reply: Buffer) => void,
): void {
  const { standing, runtime } = session;
  const { upstream, limits } = runtime;
  const connection = upstream.openControl(what.node, standing.access);
  const silence = setTimeout(
    () => connection.destroy('silent', `did not answer for ${limits.nodeSilenceMs} ms`),
    limits.nodeSilenceMs,
  );
  const finish = (reply: Buffer): void => {
    clearTimeout(silence);
    onReply(reply);
    connection.destroy('lost', 'no longer needed');
  };
  const sink = {
    onReply: (_: Exchange, bytes: Buffer, start: number, end: number) =>
      finish(Buffer.from(bytes.subarray(start, end))),
    onFailure: (_: Exchange, failure: Parameters<typeof failureLine>[0]) => finish(failureLine(failure)),
  };
  connection.sendOwn(new Exchange(sink, 0, undefined, ANY_SLOT), what.frame);
}
