/** Small random Lua programs: all of the grammar, sometimes a little wrong. */
import type { Random } from './random.ts';

const STRINGS = ["'GET'", '"a\\"b"', '[[x]]', '[==[\n]]y]==]', "'\\103'", "'it''s'", "'end'", "'a\\\nb'"] as const;
const NAMES = ['a', 'b', 'redis', 'call', 'unpack', 'goto', 'KEYS', '_x1'] as const;
const NUMBERS = ['1', '.5', '3.', '0x1F', '1e3', '08', '1e+5', '0xA.8p1'] as const;
const OPERATORS = ['+', '-', '*', '/', '%', '^', '..', '==', '~=', '<', '>=', ' and ', ' or '] as const;
const BLANKS = [' ', '\n', ' --x\n', ' --[[x]] ', '\t', '\r\n', '\v', ';'] as const;

export function randomLua(random: Random): string {
  return `${new Generator(random).block(3)}${random.below(4) === 0 ? ' return' : ''}`;
}

class Generator {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  block(depth: number): string {
    const statements = Array.from({ length: 1 + this.#random.below(3) }, () => this.#statement(depth));
    return statements.join(this.#random.pick(BLANKS));
  }

  #statement(depth: number): string {
    const inner = () => (depth > 0 ? this.block(depth - 1) : '');
    const value = () => this.#expression(depth);
    const name = this.#random.pick(NAMES);
    const forms: readonly [() => string, ...(() => string)[]] = [
      () => `local ${name} = ${value()}`,
      () => `${name}.x, ${name}[${value()}] = ${value()}, ...`,
      () => `redis.call(${this.#random.pick(STRINGS)}, ${value()})`,
      () => `${name}${this.#random.pick(["'x'", '{}', '()', ':m()', '.n()'])}`,
      () => `if ${value()} then ${inner()} elseif ${value()} then ${inner()} else ${inner()} end`,
      () => `while ${value()} do ${inner()} break${this.#random.pick(BLANKS)} end`,
      () => `repeat ${inner()} until ${value()}`,
      () => `for i = 1, ${value()} do ${inner()} end`,
      () => `for k, v in ${value()} do ${inner()} end`,
      () => `do ${inner()} end`,
      () => `local function ${name}(x, ...) ${inner()} return ${value()}; end`,
      () => `function t.u:v() ${inner()} end`,
    ];
    return this.#random.pick(forms)();
  }

  #expression(depth: number): string {
    if (depth <= 0)
      return this.#random.pick([...NAMES, ...NUMBERS, ...STRINGS, 'nil', 'true', '...'] as unknown as ['nil']);
    const inner = () => this.#expression(depth - 1);
    const forms: readonly [() => string, ...(() => string)[]] = [
      () => `${inner()}${this.#random.pick(OPERATORS)}${inner()}`,
      () => `(${inner()})`,
      () => `not ${inner()}`,
      () => `- ${inner()}`,
      () => `#${this.#random.pick(NAMES)}`,
      () => `{${inner()}, x = ${inner()}; [${inner()}] = ${inner()},}`,
      () => `function(...) return ${inner()} end`,
      () => `f(${inner()}, ${inner()})`,
      () => `redis.pcall('GET', ${inner()})`,
      inner,
    ];
    return this.#random.pick(forms)();
  }
}
