/**
 * The expressions' part of the interpreter: what an expression may give, which is one value, or a list of them for a
 * call or `...` at the end of a list. Whatever may be called is called: functions of the script through the statements'
 * part (FunctionRunner), all others in natives.ts.
 */
import {
  argumentsOf,
  type BinaryNode,
  type CallNode,
  type Expression,
  type IndexNode,
  isBinary,
  isCall,
  isIndex,
  type TableNode,
} from '../ast.ts';
import { OPAQUE_GLOBALS, REDIS_GLOBALS } from '../globals.ts';
import { stringOf } from '../string-literal.ts';
import { type Environment, type Outcome, UNTOUCHED } from './memory.ts';
import { callNative } from './natives.ts';
import type { Frame, Run } from './run.ts';
import type { FieldKey, TableValue } from './table-value.ts';
import { literalOf, literalText } from './template.ts';
import {
  certainNumber,
  concatenated,
  type FunctionValue,
  list,
  mayBeNothing,
  NO_VALUES,
  NOTHING,
  numberValue,
  type Possibility,
  text,
  UNKNOWN,
  UNKNOWN_LIST,
  union,
  unionOfLists,
  type Value,
  type ValueList,
  valueAt,
} from './value.ts';

/** Where an expression stands: in which call, among which variables. */
export interface Place {
  readonly frame: Frame;
  readonly environment: Environment;
}

/** Who calls: a place in the script, in one call of the function around it. */
export interface Caller {
  readonly node: CallNode;
  readonly frame: Frame;
}

/** Runs the body of a function; the statements' part of the interpreter. */
export type FunctionRunner = (callee: FunctionValue, args: ValueList, caller: Caller) => ValueList;

export class Expressions {
  readonly run: Run;
  readonly #runFunction: FunctionRunner;
  readonly #constants = new Map<Expression, Value>();
  readonly #globals = new Map<string, Value>();

  constructor(run: Run, runFunction: FunctionRunner) {
    this.run = run;
    this.#runFunction = runFunction;
  }

  evaluate(node: Expression, at: Place): Value {
    if (!this.run.enter()) return UNKNOWN;
    const value = this.#value(node, at);
    this.run.leave();
    return value;
  }

  /** A list of expressions: the last may give several values. */
  evaluateAll(nodes: readonly Expression[], at: Place): ValueList {
    const last = nodes.at(-1);
    if (last === undefined) return NO_VALUES;
    const first = nodes.slice(0, -1).map((node) => this.evaluate(node, at));
    const { values, tail } = this.#several(last, at);
    return { values: [...first, ...values], tail };
  }

  /** Calls whatever the callee may be. */
  call(callee: Value, args: ValueList, caller: Caller): ValueList {
    const [only, ...others] = callee;
    if (only === undefined) return UNKNOWN_LIST;
    if (others.length === 0) return this.#callOne(only, args, caller);
    let results: ValueList | undefined;
    const outcomes: Outcome[] = callee.map((one) =>
      this.run.memory.branch(() => {
        const result = this.#callOne(one, args, caller);
        results = results === undefined ? result : unionOfLists(results, result);
      }),
    );
    this.run.memory.merge(outcomes);
    return results ?? UNKNOWN_LIST;
  }

  assign(target: Expression, value: Value, at: Place): void {
    if (target.type === 'Identifier') {
      const variable = at.environment.find(target.name);
      if (variable !== undefined) this.run.write(variable, value, at.frame);
      else this.run.writeGlobal(target.name, value);
    } else if (isIndex(target)) {
      this.#assignField(target, value, at);
    }
  }

  #assignField(target: IndexNode, value: Value, at: Place): void {
    const base = this.evaluate(target.base, at);
    const isAppending = isEndOf(target);
    const keys = isAppending ? [] : fieldKeysOf(this.#keyOf(target, at));
    for (const one of base) {
      if (one.kind === 'native' && REDIS_GLOBALS.has(one.name)) this.run.isIncomplete = true;
      if (one.kind !== 'table') continue;
      if (isAppending) one.append(value);
      else for (const key of keys) writeField(one, key, value);
    }
  }

  #value(node: Expression, at: Place): Value {
    switch (node.type) {
      case 'Identifier':
        return this.#name(node.name, at);
      case 'StringLiteral':
      case 'NumericLiteral':
        return this.#constant(node);
      case 'BooleanLiteral':
      case 'NilLiteral':
        return NOTHING;
      case 'FunctionDeclaration':
        return [{ kind: 'function', node, environment: at.environment, frame: at.frame }];
      case 'TableConstructorExpression':
        return [this.#table(node, at)];
      case 'UnaryExpression':
        return this.#unary(node.operator, this.evaluate(node.argument, at));
      case 'BinaryExpression':
      case 'LogicalExpression':
        return this.#binary(node, at);
      case 'MemberExpression':
      case 'IndexExpression':
        return this.#indexed(this.evaluate(node.base, at), this.#keyOf(node, at));
      default:
        return valueAt(this.#several(node, at), 0);
    }
  }

  #constant(node: Expression): Value {
    const known = this.#constants.get(node);
    if (known !== undefined) return known;
    const value = node.type === 'NumericLiteral' ? numberValue(node.value) : text(literalText(stringOf(node) ?? ''));
    this.#constants.set(node, value);
    return value;
  }

  #several(node: Expression, at: Place): ValueList {
    if (node.type === 'VarargLiteral') return at.frame.varargs;
    if (!isCall(node)) return list(this.evaluate(node, at));
    if (!this.run.enter()) return UNKNOWN_LIST;
    const results = this.#callNode(node, at);
    this.run.leave();
    return results;
  }

  #callNode(node: CallNode, at: Place): ValueList {
    const { base } = node;
    const caller = { node, frame: at.frame };
    if (base.type === 'MemberExpression' && base.indexer === ':') {
      const self = this.evaluate(base.base, at);
      const args = this.evaluateAll(argumentsOf(node), at);
      const method = this.#indexed(self, text(literalText(base.identifier.name)));
      return this.call(method, { values: [self, ...args.values], tail: args.tail }, caller);
    }
    const callee = this.evaluate(base, at);
    return this.call(callee, this.evaluateAll(argumentsOf(node), at), caller);
  }

  #callOne(callee: Possibility, args: ValueList, caller: Caller): ValueList {
    if (callee.kind === 'function') return this.#runFunction(callee, args, caller);
    return callNative(callee.kind === 'native' ? callee.name : '', args, { expressions: this, caller });
  }

  #name(name: string, { environment }: Place): Value {
    const variable = environment.find(name);
    if (variable !== undefined) return variable.value;
    if (OPAQUE_GLOBALS.has(name)) this.run.isIncomplete = true;
    const own = this.#global(name);
    const written = this.run.globalOf(name);
    return written === undefined ? own : union(written, own);
  }

  /** What a global is before the script assigns it. */
  #global(name: string): Value {
    const known = this.#globals.get(name);
    if (known !== undefined) return known;
    const value = [this.#newGlobal(name)];
    this.#globals.set(name, value);
    return value;
  }

  #newGlobal(name: string): Possibility {
    if (name === 'KEYS') return this.run.keys;
    if (name === 'ARGV') return this.run.argv;
    return { kind: 'native', name: REDIS_GLOBALS.has(name) ? 'redis' : name };
  }

  #table(node: TableNode, at: Place): TableValue {
    const { tables } = at.frame.context;
    const table = tables.get(node) ?? this.run.newTable();
    tables.set(node, table);
    let index = 0;
    node.fields.forEach((field, i) => {
      if (field.type === 'TableValue') {
        if (i === node.fields.length - 1) this.#lastElements(table, index + 1, this.#several(field.value, at));
        else table.write(++index, this.evaluate(field.value, at));
        return;
      }
      const key = field.type === 'TableKeyString' ? text(literalText(field.key.name)) : this.evaluate(field.key, at);
      const value = this.evaluate(field.value, at);
      for (const one of fieldKeysOf(key)) writeField(table, one, value);
    });
    return table;
  }

  #lastElements(table: TableValue, from: number, { values, tail }: ValueList): void {
    values.forEach((value, i) => {
      table.write(from + i, value);
    });
    if (tail !== undefined) table.append(tail.value);
  }

  #unary(operator: string, value: Value): Value {
    const number = certainNumber(value);
    if (operator === '-' && number !== undefined) return numberValue(-number);
    return operator === 'not' ? NOTHING : UNKNOWN;
  }

  /** `a .. b .. c` leans right and `a + b + c` left; the left operands may be thousands. */
  #binary(node: BinaryNode, at: Place): Value {
    const spine: BinaryNode[] = [];
    let leftmost: Expression = node;
    while (isBinary(leftmost)) {
      spine.push(leftmost);
      leftmost = leftmost.left;
    }
    let value = this.evaluate(leftmost, at);
    for (let one = spine.pop(); one !== undefined; one = spine.pop()) value = this.#operate(one, value, at);
    return value;
  }

  #operate(node: BinaryNode, left: Value, at: Place): Value {
    if (node.operator === 'and' || node.operator === 'or') return this.#choose(node, left, at);
    const right = this.evaluate(node.right, at);
    switch (node.operator) {
      case '..':
        this.run.spend(left.length * right.length);
        return concatenated(left, right);
      case '==':
      case '~=':
      case '<':
      case '<=':
      case '>':
      case '>=':
        return NOTHING;
      default:
        return computed(node.operator, certainNumber(left), certainNumber(right));
    }
  }

  /** `and`, `or`: the right side may run or not. */
  #choose(node: BinaryNode, left: Value, at: Place): Value {
    let right: Value = UNKNOWN;
    const outcome = this.run.memory.branch(() => {
      right = this.evaluate(node.right, at);
    });
    this.run.memory.merge([outcome, UNTOUCHED]);
    if (node.operator === 'and') return union(mayBeNothing(left) ? NOTHING : [], right);
    const truthy = left.filter((one) => one.kind !== 'nothing');
    return left.every(isCertainlyTruthy) ? left : union(truthy, right);
  }

  #keyOf(node: IndexNode, at: Place): Value {
    return node.type === 'IndexExpression' ? this.evaluate(node.index, at) : text(literalText(node.identifier.name));
  }

  #indexed(base: Value, key: Value): Value {
    let value: Value = [];
    for (const fieldKey of fieldKeysOf(key)) {
      for (const one of base) value = union(value, this.#field(one, fieldKey));
    }
    return value.length === 0 ? UNKNOWN : value;
  }

  #field(base: Possibility, key: FieldKey | undefined): Value {
    if (base.kind === 'table') return key === undefined ? base.readAny() : base.read(key);
    if (base.kind === 'native' && typeof key === 'string') return [{ kind: 'native', name: `${base.name}.${key}` }];
    // redis[expression] may be redis.call.
    if (base.kind === 'native' && base.name === 'redis') this.run.isIncomplete = true;
    const isString = base.kind === 'text' && base.template.parts.length > 0;
    return isString && typeof key === 'string' ? [{ kind: 'native', name: `string.${key}` }] : UNKNOWN;
  }
}

/** `t[#t + 1]` */
function isEndOf(target: IndexNode): boolean {
  if (target.type !== 'IndexExpression' || target.base.type !== 'Identifier') return false;
  const { index } = target;
  if (index.type !== 'BinaryExpression' || index.operator !== '+') return false;
  const { left, right } = index;
  if (left.type !== 'UnaryExpression' || left.operator !== '#' || left.argument.type !== 'Identifier') return false;
  return left.argument.name === target.base.name && right.type === 'NumericLiteral' && right.value === 1;
}

/** The fields that a value may name; undefined stands for any. */
function fieldKeysOf(key: Value): (FieldKey | undefined)[] {
  return key.flatMap((one) => {
    if (one.kind === 'nothing') return [];
    if (one.kind !== 'text') return [undefined];
    return [one.number ?? literalOf(one.template)];
  });
}

function writeField(table: TableValue, key: FieldKey | undefined, value: Value): void {
  if (key === undefined) table.writeAny(value);
  else table.write(key, value);
}

/** KEYS[n] and ARGV[n] may be absent. */
function isCertainlyTruthy(one: Possibility): boolean {
  if (one.kind === 'text') return literalOf(one.template) !== undefined || one.template.parts.length > 1;
  return one.kind !== 'nothing';
}

function computed(operator: string, left: number | undefined, right: number | undefined): Value {
  if (left === undefined || right === undefined) return UNKNOWN;
  if (operator === '+') return numberValue(left + right);
  if (operator === '-') return numberValue(left - right);
  return operator === '*' ? numberValue(left * right) : UNKNOWN;
}
