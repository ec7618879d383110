/**
 * Which requests wait before they are dispatched: those that name scripts which nobody here knows but a store may, until
 * the store was asked; and SCRIPT FLUSH, until no script is on its way to a node in the background.
 */
import type { Plan } from '../plan/plan.ts';
import type { Request } from '../resp/request.ts';
import { SHA_LENGTH } from '../script/sha.ts';
import type { Runtime } from './runtime.ts';

/** Shas of one SCRIPT EXISTS that are asked for; the nodes know of those beyond. */
const MAX_SHAS = 64;

/** Asks for what the request names and the registry lacks, or stops what is in its way; undefined when there is nothing to wait for. */
export function lookUpUnknown(runtime: Runtime, plan: Plan, request: Request): Promise<unknown> | undefined {
  switch (plan.kind) {
    case 'call':
      return plan.form === 'evalsha' && plan.script === undefined ? lookUp(runtime, request, 1) : undefined;
    case 'script_command':
      if (plan.action === 'flush') return runtime.warming.holdForFlush();
      return plan.action === 'exists' || plan.action === 'show' ? lookUpAll(runtime, request) : undefined;
    default:
      return undefined;
  }
}

function lookUpAll(runtime: Runtime, request: Request): Promise<unknown> | undefined {
  const asked: Promise<void>[] = [];
  for (let i = 2; i < request.argc && asked.length < MAX_SHAS; i++) {
    if (runtime.registry.find(request.bytes, request.argStart(i), request.argEnd(i)) !== undefined) continue;
    const answer = lookUp(runtime, request, i);
    if (answer !== undefined) asked.push(answer);
  }
  return asked.length === 0 ? undefined : Promise.all(asked);
}

function lookUp(runtime: Runtime, request: Request, index: number): Promise<void> | undefined {
  return request.argLength(index) === SHA_LENGTH ? runtime.keeper.lookUp(request.argText(index)) : undefined;
}
