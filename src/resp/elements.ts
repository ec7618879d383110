/**
 * Looks into whole reply frames, RESP2 and RESP3, without decoding them: what type a frame is of, and where its elements
 * stand. Merging copies these elements byte by byte, so that what a node said of a value stays as it said it.
 *
 *     |1 +k +v  *2  $1 a  _        attributes before the value are skipped: they belong to one node's reply
 *               ▲type ▲elements
 */
import { ReplyFramer } from './reply-framer.ts';

const ATTRIBUTES = 0x7c;
const STAR = 0x2a;
const PERCENT = 0x25;
const TILDE = 0x7e;
const PUSH = 0x3e;
const UNDERSCORE = 0x5f;

/** The type byte of the value in the frame, behind its attributes; NaN for an empty frame. */
export function typeOf(frame: Buffer): number {
  const at = frame[0] === ATTRIBUTES ? valueStart(frame) : 0;
  return frame[at] ?? Number.NaN;
}

/** Whether the frame is an array, set, map or push, the null array of RESP2 included. */
export function isAggregate(frame: Buffer): boolean {
  const type = typeOf(frame);
  return type === STAR || type === TILDE || type === PERCENT || type === PUSH;
}

/** Whether the frame is a null: `_`, `$-1` or `*-1`. */
export function isNull(frame: Buffer): boolean {
  const at = valueStart(frame);
  if (frame[at] === UNDERSCORE) return true;
  return frame[at + 1] === 0x2d && (frame[at] === 0x24 || frame[at] === STAR);
}

/** The elements of an aggregate as frames, of a map its keys and values in turn; a null or anything else has none. */
export function elementsOf(frame: Buffer): Buffer[] {
  if (!isAggregate(frame)) return [];
  return framesIn(frame, lineEnd(frame, valueStart(frame)), Number.POSITIVE_INFINITY);
}

/** The text of a bulk, verbatim or simple string, of a number or an error, one character a byte. */
export function textOf(frame: Buffer): string {
  const at = valueStart(frame);
  const type = String.fromCharCode(frame[at] ?? 0);
  if (!'$=!'.includes(type)) return frame.toString('latin1', at + 1, lineEnd(frame, at) - 2);
  if (frame[at + 1] === 0x2d) return '';
  const text = frame.toString('latin1', lineEnd(frame, at), frame.length - 2);
  return type === '=' ? text.slice(4) : text;
}

function valueStart(frame: Buffer): number {
  let at = 0;
  while (frame[at] === ATTRIBUTES) {
    const begin = lineEnd(frame, at);
    const count = 2 * Number(frame.toString('latin1', at + 1, begin - 2));
    at = framesIn(frame, begin, count).reduce((end, attribute) => end + attribute.length, begin);
  }
  return at;
}

function lineEnd(frame: Buffer, at: number): number {
  return frame.indexOf('\r\n', at) + 2;
}

/** At most `count` frames that stand one behind the other from `start` on. */
function framesIn(bytes: Buffer, start: number, count: number): Buffer[] {
  const framer = new ReplyFramer(bytes.length);
  framer.push(bytes.subarray(start));
  const frames: Buffer[] = [];
  while (frames.length < count && framer.next() === 'reply') {
    frames.push(framer.bytes.subarray(framer.start, framer.end));
  }
  return frames;
}
