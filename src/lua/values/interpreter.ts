/**
 * Runs a script over sets of possible values instead of values, to learn what its keys are made of. Every branch is
 * taken, a loop runs until nothing new comes out of it, a function runs anew for each call of it (so one that is never
 * called is not judged), and what a command replies is unknown.
 *
 *     statements (this file) ◀─▶ expressions.ts ─▶ natives.ts (redis.call, unpack, string.format …) ─▶ CallSink
 *
 * The run is bounded in steps and depth. Where it gives up it may have missed values and calls, so nothing is proven by
 * it; what it did see is still true.
 */
import { type CallNode, type Chunk, type FunctionNode, isCall, type Statement } from '../ast.ts';
import { type Caller, Expressions, type Place } from './expressions.ts';
import { FinishedCalls } from './finished-calls.ts';
import { Environment, type Outcome, UNTOUCHED, type Variable } from './memory.ts';
import { type CallSink, contextOfCall, type Frame, newContext, Run } from './run.ts';
import {
  elementsOf,
  type FunctionValue,
  list,
  listFrom,
  NO_VALUES,
  NOTHING,
  type Possibility,
  UNKNOWN,
  UNKNOWN_LIST,
  unionOfLists,
  type Value,
  type ValueList,
  valueAt,
} from './value.ts';

/** Rounds of a loop after which its texts are given up, and after which it is left. */
const SETTLE_ROUNDS = 3;
const MAX_ROUNDS = 8;

/** Reports every command of the script to the sink. False when something was not followed. */
export function interpret(chunk: Chunk, sink: CallSink): boolean {
  const run = new Run(sink);
  const frame: Frame = {
    args: NO_VALUES,
    varargs: NO_VALUES,
    context: newContext(),
    node: undefined,
    caller: undefined,
    results: undefined,
    changes: 0,
  };
  new Interpreter(run).block(chunk.body, { frame, environment: new Environment() });
  return !run.isIncomplete;
}

class Interpreter {
  readonly #run: Run;
  readonly #expressions: Expressions;
  readonly #finished: FinishedCalls;
  readonly #parameters = new Map<FunctionNode, readonly string[]>();

  constructor(run: Run) {
    this.#run = run;
    this.#finished = new FinishedCalls(run);
    this.#expressions = new Expressions(run, (callee, args, caller) => this.#call(callee, args, caller));
  }

  /** True when the block certainly ends with a return. */
  block(body: readonly Statement[], at: Place): boolean {
    if (!this.#run.enter()) return false;
    let hasReturned = false;
    for (const statement of body) {
      if (hasReturned || this.#run.isSpent) break;
      hasReturned = this.#statement(statement, at);
    }
    this.#run.leave();
    return hasReturned;
  }

  #innerBlock(body: readonly Statement[], { frame, environment }: Place): boolean {
    return this.block(body, { frame, environment: new Environment(environment) });
  }

  #statement(statement: Statement, at: Place): boolean {
    switch (statement.type) {
      case 'LocalStatement': {
        const values = this.#expressions.evaluateAll(statement.init, at);
        statement.variables.forEach(({ name }, i) => {
          this.#declare(name, valueAt(values, i), at);
        });
        return false;
      }
      case 'AssignmentStatement': {
        const values = this.#expressions.evaluateAll(statement.init, at);
        statement.variables.forEach((target, i) => {
          this.#expressions.assign(target, valueAt(values, i), at);
        });
        return false;
      }
      case 'CallStatement':
        this.#expressions.evaluate(statement.expression, at);
        return false;
      case 'FunctionDeclaration':
        this.#declareFunction(statement, at);
        return false;
      case 'ReturnStatement': {
        const values = this.#expressions.evaluateAll(statement.arguments, at);
        at.frame.results = at.frame.results === undefined ? values : unionOfLists(at.frame.results, values);
        return true;
      }
      case 'DoStatement':
        return this.#innerBlock(statement.body, at);
      case 'IfStatement':
        return this.#if(statement, at);
      default:
        this.#loop(statement, at);
        return false;
    }
  }

  #declare(name: string, value: Value, { environment, frame }: Place): Variable {
    const variable = this.#run.memory.newVariable(value, frame);
    environment.declare(name, variable);
    return variable;
  }

  #declareFunction(node: FunctionNode, at: Place): void {
    const { identifier } = node;
    if (identifier?.type === 'Identifier' && node.isLocal) {
      // In scope in its own body.
      const variable = this.#declare(identifier.name, NOTHING, at);
      variable.value = this.#expressions.evaluate(node, at);
    } else if (identifier !== null) {
      this.#expressions.assign(identifier, this.#expressions.evaluate(node, at), at);
    }
  }

  #if({ clauses }: Extract<Statement, { type: 'IfStatement' }>, at: Place): boolean {
    const ends: Outcome[] = [];
    for (const clause of clauses) {
      if (clause.type !== 'ElseClause') this.#expressions.evaluate(clause.condition, at);
      let hasReturned = false;
      const outcome = this.#run.memory.branch(() => {
        hasReturned = this.#innerBlock(clause.body, at);
      });
      if (!hasReturned) ends.push(outcome);
    }
    if (clauses.at(-1)?.type !== 'ElseClause') ends.push(UNTOUCHED);
    this.#run.memory.merge(ends);
    return ends.length === 0;
  }

  #loop(statement: Statement, at: Place): void {
    switch (statement.type) {
      case 'WhileStatement':
        this.#rounds(() => {
          this.#expressions.evaluate(statement.condition, at);
          this.#innerBlock(statement.body, at);
        });
        break;
      case 'RepeatStatement':
        this.#rounds(() => {
          const inner = { frame: at.frame, environment: new Environment(at.environment) };
          this.block(statement.body, inner);
          this.#expressions.evaluate(statement.condition, inner);
        });
        break;
      case 'ForNumericStatement': {
        const { start, end, step, variable } = statement;
        this.#expressions.evaluateAll(step === null ? [start, end] : [start, end, step], at);
        this.#for({ names: [variable.name], values: () => UNKNOWN_LIST, body: statement.body }, at);
        break;
      }
      case 'ForGenericStatement': {
        const names = statement.variables.map((variable) => variable.name);
        const given = this.#expressions.evaluateAll(statement.iterators, at);
        const maker = statement.iterators.find(isCall);
        this.#for({ names, values: (inner) => this.#iterated(given, maker, inner), body: statement.body }, at);
        break;
      }
      default:
        break; // break: what it leaves is counted at the end of the loop
    }
  }

  #for({ names, values, body }: ForLoop, at: Place): void {
    this.#rounds(() => {
      const inner = { frame: at.frame, environment: new Environment(at.environment) };
      const given = values(inner);
      names.forEach((name, i) => {
        this.#declare(name, valueAt(given, i), inner);
      });
      this.block(body, inner);
    });
  }

  /** Runs the body of a loop until a round teaches nothing new. */
  #rounds(body: () => void): void {
    const run = this.#run;
    const wasWidening = run.isWidening;
    for (let round = 1; !run.isSpent; round++) {
      if (round > SETTLE_ROUNDS) run.isWidening = true;
      const lessons = run.lessons;
      const outcome = run.memory.round(body);
      const isNew = run.memory.addRound(outcome, (value) => run.widened(value));
      if (!isNew && run.lessons === lessons) break;
      if (round < MAX_ROUNDS) continue;
      run.isIncomplete = true;
      break;
    }
    run.isWidening = wasWidening;
  }

  /** What a generic `for` gives to its variables; `maker` is the call that made the iterator. */
  #iterated(given: ValueList, maker: CallNode | undefined, at: Place): ValueList {
    const state = valueAt(given, 1);
    let values: ValueList | undefined;
    for (const one of valueAt(given, 0)) {
      const next = this.#iteratedBy(one, state, maker === undefined ? undefined : { node: maker, frame: at.frame });
      values = values === undefined ? next : unionOfLists(values, next);
    }
    return values ?? UNKNOWN_LIST;
  }

  #iteratedBy(iterator: Possibility, state: Value, caller: Caller | undefined): ValueList {
    if (iterator.kind === 'iterator') return list(iterator.keys, iterator.elements);
    if (iterator.kind === 'native' && iterator.name === 'next') return list(UNKNOWN, elementsOf(state));
    if (iterator.kind !== 'function') return UNKNOWN_LIST;
    if (caller !== undefined) return this.#call(iterator, list(state, UNKNOWN), caller);
    this.#run.isIncomplete = true;
    return UNKNOWN_LIST;
  }

  #call(callee: FunctionValue, args: ValueList, caller: Caller): ValueList {
    const { node } = callee;
    const mayCall = this.#run.mayCall(caller.frame, node, args);
    if (mayCall === 'no') this.#run.isIncomplete = true;
    if (mayCall !== 'yes') return UNKNOWN_LIST;
    return (
      this.#finished.resultsOf(callee, args) ??
      this.#finished.keep(callee, args, () => this.#runBody(callee, args, caller))
    );
  }

  #parametersOf(node: FunctionNode): readonly string[] {
    const names = this.#parameters.get(node) ?? parametersOf(node);
    this.#parameters.set(node, names);
    return names;
  }

  #runBody(callee: FunctionValue, args: ValueList, caller: Caller): ValueList {
    const { node } = callee;
    const names = this.#parametersOf(node);
    const frame: Frame = {
      args,
      varargs: listFrom(args, names.length),
      context: contextOfCall(caller.frame.context, caller.node, node),
      node,
      caller: caller.frame,
      results: undefined,
      changes: 0,
    };
    const at = { frame, environment: new Environment(callee.environment) };
    names.forEach((name, i) => {
      this.#declare(name, valueAt(args, i), at);
    });
    const hasReturned = this.block(node.body, at);
    if (frame.results === undefined) return NO_VALUES;
    return hasReturned ? frame.results : unionOfLists(frame.results, NO_VALUES);
  }
}

interface ForLoop {
  readonly names: readonly string[];
  /** What its variables are in a round. */
  readonly values: (at: Place) => ValueList;
  readonly body: readonly Statement[];
}

/** Names of the parameters; a method has `self` before them. */
function parametersOf(node: FunctionNode): string[] {
  const names = node.parameters.flatMap((parameter) => (parameter.type === 'Identifier' ? [parameter.name] : []));
  const isMethod = node.identifier?.type === 'MemberExpression' && node.identifier.indexer === ':';
  return isMethod ? ['self', ...names] : names;
}
