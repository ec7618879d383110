/**
 * Commands that may block at their node, and where their timeout stands: a wait that moves to another node goes on with
 * the time that is left.
 */
import type { Command } from '../command/table.ts';
import type { Request } from '../resp/request.ts';
import type { BlockPlan, Plan } from './plan.ts';

/** XREAD and XREADGROUP: whether BLOCK stands among the options. */
export function hasBlock(request: Request): boolean {
  return optionIndex(request, 'block') > 0;
}

/** The plan for a request whose keys share the slot. */
export function blockPlan(command: Command, request: Request, slot: number): Plan {
  return { kind: 'block', slot, ...timeoutOf(command, request) };
}

function timeoutOf(command: Command, request: Request): Pick<BlockPlan, 'timeoutIndex' | 'unit'> {
  switch (command.name) {
    case 'blpop':
    case 'brpop':
    case 'bzpopmin':
    case 'bzpopmax':
    case 'brpoplpush':
    case 'blmove':
      return { timeoutIndex: request.argc - 1, unit: 's' };
    case 'blmpop':
    case 'bzmpop':
      return { timeoutIndex: 1, unit: 's' };
    case 'xread':
    case 'xreadgroup':
      return { timeoutIndex: optionIndex(request, 'block') + 1, unit: 'ms' };
    default:
      return { timeoutIndex: 0, unit: 's' };
  }
}

/** Index of an option of XREAD or XREADGROUP, which stand before STREAMS; 0 when it is not there. */
function optionIndex(request: Request, option: string): number {
  for (let i = 1; i < request.argc; i++) {
    if (request.isWord(i, 'streams')) return 0;
    if (request.isWord(i, option)) return i;
  }
  return 0;
}
