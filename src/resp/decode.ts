/**
 * Decodes one whole RESP2 frame into a value, by redis-parser: for replies whose value is needed (merging, topology).
 * It only ever sees frames that our framer has cut and that are bounded, because it trusts announced lengths.
 */
import RedisParser from 'redis-parser';

/** An error reply as a value: `message` without the `-`. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
}

/** The value of the frame: string, number, null, ReplyError, or an array of these. Undefined when it is no RESP2. */
export function decodeReply(frame: Buffer): unknown {
  let value: unknown;
  const parser = new RedisParser({
    returnReply: (reply: unknown) => {
      value = reply;
    },
    returnError: (error: Error) => {
      value = new ReplyError(error.message);
    },
    returnFatalError: () => {
      value = undefined;
    },
  });
  parser.execute(frame);
  return value;
}
