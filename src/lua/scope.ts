/**
 * Names in scope while a script is walked. One stack of bindings a name, so that a look-up costs the same however deep
 * blocks stand in each other; leaving a block takes back what was declared in it.
 */

export type RedisFunction = 'call' | 'pcall';

/** A local variable, a parameter or a loop variable. */
export interface Binding {
  /** Set when it was declared as `local x = redis.call`. */
  readonly aliasOf: RedisFunction | undefined;
}

export class Scope {
  readonly #bindings = new Map<string, Binding[]>();
  readonly #declared: string[] = [];

  declare(name: string, aliasOf?: RedisFunction): Binding {
    const binding: Binding = { aliasOf };
    const stack = this.#bindings.get(name);
    if (stack === undefined) this.#bindings.set(name, [binding]);
    else stack.push(binding);
    this.#declared.push(name);
    return binding;
  }

  /** Undefined for a global. */
  find(name: string): Binding | undefined {
    return this.#bindings.get(name)?.at(-1);
  }

  /** Runs `visit` in a block of its own. */
  within(visit: () => void): void {
    const outerCount = this.#declared.length;
    visit();
    while (this.#declared.length > outerCount) {
      const name = this.#declared.pop();
      if (name !== undefined) this.#bindings.get(name)?.pop();
    }
  }
}
