/** What the parts of the interpreter share: the state of one run, and its bounds. */
import type { CallNode, FunctionNode } from '../ast.ts';
import { Memory, type Owner, type Variable } from './memory.ts';
import { TableValue } from './table-value.ts';
import { type Context, isSameList, isSameValue, UNKNOWN, union, type Value, type ValueList } from './value.ts';

/** Is told of every command that the run meets. */
export interface CallSink {
  /** `args` begin with the command's name. */
  onCommand(node: CallNode, args: ValueList): void;
}

/** One call of a function, or the chunk. */
export interface Frame extends Owner {
  /** All that it was called with. */
  readonly args: ValueList;
  /** Of these, what no parameter takes. */
  readonly varargs: ValueList;
  readonly context: Context;
  /** The function being run; undefined for the chunk. */
  readonly node: FunctionNode | undefined;
  readonly caller: Frame | undefined;
  /** All that its return statements gave so far. */
  results: ValueList | undefined;
}

const MAX_STEPS = 10_000;
const MAX_DEPTH = 400;
const MAX_CALL_DEPTH = 24;
/** A recursive function, one call of it within another. */
const MAX_ROUNDS = 4;

export class Run {
  readonly memory = new Memory();
  readonly keys: TableValue;
  readonly argv: TableValue;
  readonly sink: CallSink;
  /** Something was not followed: nothing is proven by this run. */
  isIncomplete = false;
  readonly #globals = new Map<string, Value>();
  /** Counts what tables and the variables of callers learnt. */
  lessons = 0;
  /** Whatever is learnt now loses its texts: a loop does not settle. */
  isWidening = false;
  #steps = 0;
  #depth = 0;

  constructor(sink: CallSink) {
    this.sink = sink;
    this.keys = this.newTable('key');
    this.argv = this.newTable('arg');
  }

  newTable(source?: 'key' | 'arg'): TableValue {
    return new TableValue((value) => this.learn(value), source);
  }

  /** What is kept of something learnt. */
  learn(value: Value): Value {
    this.lessons++;
    return this.widened(value);
  }

  /** Itself, or without its texts where a loop does not settle. */
  widened(value: Value): Value {
    return this.isWidening ? union(UNKNOWN, value) : value;
  }

  /** Writes a variable, from the call `owner`. */
  write(variable: Variable, value: Value, owner: Owner): void {
    if (variable.owner === owner) {
      this.memory.write(variable, value);
      return;
    }
    const all = union(variable.value, value);
    if (!isSameValue(variable.value, all)) variable.value = this.learn(all);
  }

  /** What the script itself wrote to a global. */
  globalOf(name: string): Value | undefined {
    return this.#globals.get(name);
  }

  writeGlobal(name: string, value: Value): void {
    const known = this.#globals.get(name);
    const all = known === undefined ? value : union(known, value);
    if (known === undefined || !isSameValue(known, all)) this.#globals.set(name, this.learn(all));
  }

  get isSpent(): boolean {
    return this.#steps >= MAX_STEPS;
  }

  /** Counts a step, one level deeper; false when the bounds are reached, else `leave` must follow. */
  enter(): boolean {
    if (++this.#steps >= MAX_STEPS || this.#depth >= MAX_DEPTH) {
      this.isIncomplete = true;
      return false;
    }
    this.#depth++;
    return true;
  }

  /** Counts work that grows with the sets it is done on. */
  spend(steps: number): void {
    this.#steps += steps;
  }

  leave(): void {
    this.#depth--;
  }

  /** Whether a function may be called from here; recursion is followed a few rounds. */
  mayCall(frame: Frame, node: FunctionNode, args: ValueList): 'yes' | 'no' | 'repeats' {
    let depth = 0;
    let rounds = 0;
    for (let at: Frame | undefined = frame; at !== undefined; at = at.caller) {
      depth++;
      if (at.node !== node) continue;
      // It would meet what is being met already.
      if (isSameList(at.args, args)) return 'repeats';
      rounds++;
    }
    return depth < MAX_CALL_DEPTH && rounds < MAX_ROUNDS ? 'yes' : 'no';
  }
}

export function newContext(): Context {
  return { tables: new Map(), children: new Map() };
}

/** The context of a function called at `call`: the same for the same place. */
export function contextOfCall(outer: Context, call: CallNode, node: FunctionNode): Context {
  let functions = outer.children.get(call);
  if (functions === undefined) {
    functions = new Map();
    outer.children.set(call, functions);
  }
  let context = functions.get(node);
  if (context === undefined) {
    context = newContext();
    functions.set(node, context);
  }
  return context;
}
