/**
 * The one walk over a script's tree, in source order: keeps the scope and tells a visitor of names, calls and indexes.
 * Left operands and call chains are walked in a loop: 20,000 of them are legal. Everything else nests 200 deep at most
 * where a node would accept the script; beyond MAX_DEPTH the walk gives up.
 */
import {
  argumentsOf,
  type BinaryNode,
  type CallNode,
  type Chunk,
  type Expression,
  type FunctionNode,
  type IndexNode,
  isBinary,
  isCall,
  isIndex,
  type Statement,
} from './ast.ts';
import type { Binding, RedisFunction, Scope } from './scope.ts';

export interface Visitor {
  /** A name that stands for itself: neither called nor indexed. */
  onName(name: string): void;
  /** True when the base is dealt with; else it is visited. */
  onIndex(node: IndexNode): boolean;
  /** True when the base is dealt with; else it is visited. The arguments follow, between the two below. */
  onCall(node: CallNode): boolean;
  beforeArguments(node: CallNode): void;
  afterArguments(node: CallNode): void;
  /** redis.call or redis.pcall, when a local initialised with this expression is an alias of it. */
  aliasIn(init: Expression | undefined): RedisFunction | undefined;
  onAlias(binding: Binding, init: Expression): void;
  onDeclaration(name: string): void;
}

type SpineNode = BinaryNode | CallNode | IndexNode;

/** Counted in expressions and blocks alike; Lua accepts 200 of them (LUAI_MAXCCALLS). */
const MAX_DEPTH = 500;

/** False when the script is nested deeper than any node accepts. */
export function walk(chunk: Chunk, scope: Scope, visitor: Visitor): boolean {
  return new Walker(scope, visitor).walk(chunk);
}

class Walker {
  readonly #scope: Scope;
  readonly #visitor: Visitor;
  #depth = 0;
  #isTooDeep = false;

  constructor(scope: Scope, visitor: Visitor) {
    this.#scope = scope;
    this.#visitor = visitor;
  }

  walk(chunk: Chunk): boolean {
    this.#block(chunk.body);
    return !this.#isTooDeep;
  }

  /** One level deeper; false when that is too deep, else `#leave` must follow. */
  #enter(): boolean {
    if (this.#depth >= MAX_DEPTH) {
      this.#isTooDeep = true;
      return false;
    }
    this.#depth++;
    return true;
  }

  #leave(): void {
    this.#depth--;
  }

  #declare(name: string, aliasOf?: RedisFunction): Binding {
    this.#visitor.onDeclaration(name);
    return this.#scope.declare(name, aliasOf);
  }

  #block(body: readonly Statement[]): void {
    if (!this.#enter()) return;
    for (const statement of body) this.#statement(statement);
    this.#leave();
  }

  #scopedBlock(body: readonly Statement[], names: readonly string[] = []): void {
    this.#scope.within(() => {
      for (const name of names) this.#declare(name);
      this.#block(body);
    });
  }

  #statement(statement: Statement): void {
    switch (statement.type) {
      case 'LocalStatement':
        this.#local(statement);
        break;
      case 'AssignmentStatement':
        this.#expressions(statement.variables);
        this.#expressions(statement.init);
        break;
      case 'CallStatement':
        this.#expression(statement.expression);
        break;
      case 'FunctionDeclaration':
        this.#functionStatement(statement);
        break;
      case 'ReturnStatement':
        this.#expressions(statement.arguments);
        break;
      case 'DoStatement':
        this.#scopedBlock(statement.body);
        break;
      case 'IfStatement':
        for (const clause of statement.clauses) {
          if (clause.type !== 'ElseClause') this.#expression(clause.condition);
          this.#scopedBlock(clause.body);
        }
        break;
      default:
        this.#loop(statement);
        break;
    }
  }

  #loop(statement: Statement): void {
    switch (statement.type) {
      case 'WhileStatement':
        this.#expression(statement.condition);
        this.#scopedBlock(statement.body);
        break;
      case 'RepeatStatement':
        // The condition sees the locals of the body.
        this.#scope.within(() => {
          this.#block(statement.body);
          this.#expression(statement.condition);
        });
        break;
      case 'ForNumericStatement':
        this.#expressions([statement.start, statement.end]);
        if (statement.step !== null) this.#expression(statement.step);
        this.#scopedBlock(statement.body, [statement.variable.name]);
        break;
      case 'ForGenericStatement': {
        this.#expressions(statement.iterators);
        const names = statement.variables.map((variable) => variable.name);
        this.#scopedBlock(statement.body, names);
        break;
      }
      default:
        break; // break; labels and goto are not Lua 5.1
    }
  }

  #local({ variables, init }: Extract<Statement, { type: 'LocalStatement' }>): void {
    const aliases = variables.map((_, i) => this.#visitor.aliasIn(init[i]));
    init.forEach((expression, i) => {
      if (aliases[i] === undefined) this.#expression(expression);
    });
    variables.forEach((variable, i) => {
      const binding = this.#declare(variable.name, aliases[i]);
      const value = init[i];
      if (binding.aliasOf !== undefined && value !== undefined) this.#visitor.onAlias(binding, value);
    });
  }

  #functionStatement(node: FunctionNode): void {
    const name = node.identifier;
    if (name?.type === 'Identifier' && node.isLocal) this.#declare(name.name);
    else if (name !== null) this.#expression(name);
    const isMethod = name?.type === 'MemberExpression' && name.indexer === ':';
    this.#function(node, isMethod ? ['self'] : []);
  }

  #function(node: FunctionNode, implicit: readonly string[]): void {
    const names = node.parameters.flatMap((parameter) => (parameter.type === 'Identifier' ? [parameter.name] : []));
    this.#scopedBlock(node.body, [...implicit, ...names]);
  }

  #expressions(expressions: readonly Expression[]): void {
    for (const expression of expressions) this.#expression(expression);
  }

  /**
   * One expression with its leftmost parts in a loop: `a + b + c` is `(a + b) + c`, `f()()` is `(f())()`. The parts on
   * the right are put off, so that everything is seen in source order.
   */
  #expression(expression: Expression): void {
    if (!this.#enter()) return;
    if (isBinary(expression) || isCall(expression) || isIndex(expression)) this.#spine(expression);
    else this.#leaf(expression);
    this.#leave();
  }

  #spine(expression: Expression): void {
    const spine: SpineNode[] = [];
    let node: Expression | undefined = expression;
    while (node !== undefined) node = this.#leftOf(node, spine);
    for (let one = spine.pop(); one !== undefined; one = spine.pop()) this.#rightOf(one);
  }

  /** Visits the node itself, puts its right parts off, and returns its left part if it still has to be visited. */
  #leftOf(node: Expression, spine: SpineNode[]): Expression | undefined {
    if (isBinary(node)) {
      spine.push(node);
      return node.left;
    }
    if (isCall(node)) {
      spine.push(node);
      return this.#visitor.onCall(node) ? undefined : node.base;
    }
    if (isIndex(node)) {
      spine.push(node);
      return this.#visitor.onIndex(node) ? undefined : node.base;
    }
    this.#leaf(node);
    return undefined;
  }

  #rightOf(node: SpineNode): void {
    if (isBinary(node)) {
      this.#expression(node.right);
    } else if (isCall(node)) {
      this.#visitor.beforeArguments(node);
      this.#expressions(argumentsOf(node));
      this.#visitor.afterArguments(node);
    } else if (node.type === 'IndexExpression') {
      this.#expression(node.index);
    }
  }

  #leaf(node: Expression): void {
    switch (node.type) {
      case 'Identifier':
        this.#visitor.onName(node.name);
        break;
      case 'FunctionDeclaration':
        this.#function(node, []);
        break;
      case 'UnaryExpression':
        this.#expression(node.argument);
        break;
      case 'TableConstructorExpression':
        for (const field of node.fields) {
          if (field.type === 'TableKey') this.#expression(field.key);
          this.#expression(field.value);
        }
        break;
      default:
        break; // literals
    }
  }
}
