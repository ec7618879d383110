/**
 * Variables while a script's values are followed. Writes are logged, so that the branches of an `if` all start from the
 * same state, and what comes out of them is the union of their ends.
 *
 * A variable that a function writes though it belongs to a caller only learns (as tables do): such a write is not taken
 * back, whatever way the function is left.
 */
import { isSameValue, union, type Value } from './value.ts';

/** A call of a function, or the chunk: what variables belong to. */
export interface Owner {
  /** Goes up whenever one of its variables changes. */
  changes: number;
}

export interface Variable {
  value: Value;
  readonly owner: Owner;
  /** Variables count from the first that the run made. */
  readonly birth: number;
}

/** The variables of a block and of those around it. */
export class Environment {
  readonly #outer: Environment | undefined;
  /** Most blocks declare nothing. */
  #variables: Map<string, Variable> | undefined;

  constructor(outer?: Environment) {
    this.#outer = outer;
  }

  declare(name: string, variable: Variable): void {
    this.#variables ??= new Map();
    this.#variables.set(name, variable);
  }

  /** Undefined for a global. */
  find(name: string): Variable | undefined {
    for (let block: Environment | undefined = this; block !== undefined; block = block.#outer) {
      const variable = block.#variables?.get(name);
      if (variable !== undefined) return variable;
    }
    return undefined;
  }
}

/** What a branch left in the variables that it wrote. */
export type Outcome = ReadonlyMap<Variable, Value>;

/** The outcome of a branch that does nothing. */
export const UNTOUCHED: Outcome = new Map();

interface Write {
  readonly variable: Variable;
  readonly before: Value;
  readonly after: Value;
}

export class Memory {
  readonly #log: Write[] = [];
  #variableCount = 0;

  newVariable(value: Value, owner: Owner): Variable {
    return { value, owner, birth: ++this.#variableCount };
  }

  write(variable: Variable, value: Value): void {
    this.#log.push({ variable, before: variable.value, after: value });
    this.#set(variable, value);
  }

  /** Runs a branch and takes its writes back. */
  branch(run: () => void): Outcome {
    const mark = this.#log.length;
    run();
    const outcome = new Map<Variable, Value>();
    for (const { variable } of this.#log.slice(mark)) outcome.set(variable, variable.value);
    this.#takeBack(mark);
    return outcome;
  }

  /** As `branch`, for one round of a loop: all that was written on the way counts, since a `break` may come anywhere. */
  round(run: () => void): Outcome {
    const mark = this.#log.length;
    const variableCount = this.#variableCount;
    run();
    const outcome = new Map<Variable, Value>();
    for (const { variable, after } of this.#log.slice(mark)) {
      // The next round makes its own variables anew.
      if (variable.birth <= variableCount) outcome.set(variable, union(outcome.get(variable) ?? [], after));
    }
    this.#takeBack(mark);
    return outcome;
  }

  /** Goes on from the ends of several branches at once. */
  merge(outcomes: readonly Outcome[]): void {
    const written = new Set(outcomes.flatMap((outcome) => [...outcome.keys()]));
    for (const variable of written) {
      const ends = outcomes.map((outcome) => outcome.get(variable) ?? variable.value);
      this.write(variable, ends.reduce(union, []));
    }
  }

  /** Adds what a round of a loop left to what was there before it. False when nothing of it is new. */
  addRound(outcome: Outcome, widen: (value: Value) => Value): boolean {
    let isNew = false;
    for (const [variable, end] of outcome) {
      const all = union(variable.value, end);
      if (isSameValue(variable.value, all)) continue;
      isNew = true;
      this.write(variable, widen(all));
    }
    return isNew;
  }

  #takeBack(mark: number): void {
    while (this.#log.length > mark) {
      const write = this.#log.pop();
      if (write !== undefined) this.#set(write.variable, write.before);
    }
  }

  #set(variable: Variable, value: Value): void {
    variable.value = value;
    variable.owner.changes++;
  }
}
