/**
 * Calls that need not be run again: the same function, with the same arguments, while nothing that it can see has
 * changed. Only for functions of the chunk itself, which see its variables, what tables hold, and nothing else. Without
 * it, recursive functions that call each other at several places take all the steps there are.
 */
import type { FunctionNode } from '../ast.ts';
import type { Run } from './run.ts';
import { type FunctionValue, isSameList, type ValueList } from './value.ts';

/** For each function. */
const MAX_KEPT = 16;

interface FinishedCall {
  readonly args: ValueList;
  readonly stamp: number;
  readonly results: ValueList;
}

export class FinishedCalls {
  readonly #run: Run;
  readonly #calls = new Map<FunctionNode, FinishedCall[]>();

  constructor(run: Run) {
    this.#run = run;
  }

  resultsOf(callee: FunctionValue, args: ValueList): ValueList | undefined {
    const stamp = this.#stampOf(callee);
    const calls = this.#calls.get(callee.node);
    return calls?.find((call) => call.stamp === stamp && isSameList(call.args, args))?.results;
  }

  /** Runs a call, and keeps its results if nothing changed meanwhile that another such call would see. */
  keep(callee: FunctionValue, args: ValueList, call: () => ValueList): ValueList {
    const stamp = this.#stampOf(callee);
    const results = call();
    if (callee.frame.caller !== undefined || stamp !== this.#stampOf(callee)) return results;
    const calls = this.#calls.get(callee.node) ?? [];
    this.#calls.set(callee.node, calls);
    if (calls.length === MAX_KEPT) calls.shift();
    calls.push({ args, stamp, results });
    return results;
  }

  #stampOf({ frame }: FunctionValue): number {
    return frame.changes + this.#run.lessons;
  }
}
