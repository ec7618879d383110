/**
 * Splits a multi-key request into one request for each slot, and keeps which keys each part holds.
 *
 *     MSET {a}1 x {b}1 y {a}2 z      ─▶  MSET {a}1 x {a}2 z   keys 0, 2
 *                                        MSET {b}1 y          keys 1
 *
 * Arguments before the first key (the name) and behind the last key's own arguments go with every part.
 */
import { slotOf } from '../cluster/slot.ts';
import type { KeyPositions } from '../command/key-positions.ts';
import type { Request } from '../resp/request.ts';
import type { Part } from './plan.ts';

/** The parts in the order of their first key; undefined when the arguments do not come in whole steps. */
export function splitBySlot(request: Request, positions: KeyPositions): Part[] | undefined {
  const { step, count } = positions;
  const tail = positions.at(count - 1) + step;
  if (tail > request.argc) return undefined;
  const groups = new Map<number, number[]>();
  for (let key = 0; key < count; key++) {
    const index = positions.at(key);
    const slot = slotOf(request.bytes, request.argStart(index), request.argEnd(index));
    const keys = groups.get(slot);
    if (keys === undefined) groups.set(slot, [key]);
    else keys.push(key);
  }
  const head = slice(request, 0, positions.at(0));
  const rest = slice(request, tail, request.argc);
  const fixedArgc = positions.at(0) + request.argc - tail;
  return [...groups].map(([slot, keys]) => {
    const argc = fixedArgc + keys.length * step;
    const middle = keys.map((key) => slice(request, positions.at(key), positions.at(key) + step));
    return { slot, keys, frame: Buffer.concat([Buffer.from(`*${argc}\r\n`), head, ...middle, rest]) };
  });
}

/** The bytes of arguments [from, to), headers included. */
function slice(request: Request, from: number, to: number): Uint8Array {
  if (from === to) return request.bytes.subarray(0, 0);
  const start = from === 0 ? firstHeader(request) : request.headerStart(from);
  return request.bytes.subarray(start, request.headerStart(to));
}

/** Where the `$` of argument 0 stands: sought backwards, because a `$` may stand where nobody looks, in `*2\r$`. */
function firstHeader(request: Request): number {
  return request.bytes.lastIndexOf(0x24, request.argStart(0) - 3);
}
