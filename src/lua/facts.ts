/**
 * What the text of a script tells, collected in one walk:
 *
 *     chunk ─▶ walk ─▶ call sites        redis.call(…), X(…) of `local X = redis.call`
 *                      stray references  redis.call that is not called on the spot
 *                      unpack calls      the global unpack, table.unpack
 *                      opacity           why commands may run that no call site shows
 */
import type { CommandTable } from '../command/table.ts';
import { argumentsOf, type CallNode, type Chunk, type Expression, type IndexNode, isIndex, startOf } from './ast.ts';
import { type CallSite, commandOf } from './call-site.ts';
import { OPAQUE_GLOBALS, REDIS_GLOBALS } from './globals.ts';
import { type Binding, type RedisFunction, Scope } from './scope.ts';
import { stringOf } from './string-literal.ts';
import { type Visitor, walk } from './walk.ts';

/** A mention of redis.call that is not a call: an alias, an argument, a bare expression. */
export interface StrayReference {
  readonly start: number;
}

export interface UnpackCall {
  readonly start: number;
  /** Stands as an argument of a call site, behind the command's name. */
  readonly isArgument: boolean;
}

/** All lists are in source order. */
export interface Facts {
  readonly callSites: readonly CallSite[];
  readonly strayReferences: readonly StrayReference[];
  readonly unpackCalls: readonly UnpackCall[];
  /** Undefined when every command that the script can run is at one of the call sites. */
  readonly opacity: string | undefined;
}

const TABLE_GLOBAL: ReadonlySet<string> = new Set(['table']);

/** Members of `redis` that run no command. */
const HARMLESS_MEMBERS: ReadonlySet<string> = new Set(
  `log LOG_DEBUG LOG_VERBOSE LOG_NOTICE LOG_WARNING sha1hex error_reply status_reply setresp set_repl REPL_NONE
  REPL_AOF REPL_SLAVE REPL_REPLICA REPL_ALL replicate_commands acl_check_cmd breakpoint debug REDIS_VERSION
  REDIS_VERSION_NUM SERVER_NAME SERVER_VERSION SERVER_VERSION_NUM`.split(/\s+/),
);

const FORMS = {
  CallExpression: 'parentheses',
  StringCallExpression: 'string',
  TableCallExpression: 'table',
} as const;

/** The facts of a script; undefined when it is nested deeper than any node accepts. */
export function factsOf(chunk: Chunk, table: CommandTable): Facts | undefined {
  const collector = new Collector(table);
  return walk(chunk, collector.scope, collector) ? collector.facts() : undefined;
}

class Collector implements Visitor {
  readonly scope = new Scope();
  readonly #table: CommandTable;
  readonly #callSites: CallSite[] = [];
  readonly #strayReferences: StrayReference[] = [];
  readonly #unpackCalls: UnpackCall[] = [];
  /** Every alias with the sites that call it; one that is used in any other way is taken out: it cannot be followed. */
  readonly #aliases = new Map<Binding, CallSite[]>();
  readonly #sites = new Map<CallNode, CallSite>();
  readonly #commandArguments = new Set<Expression>();
  #opacity: string | undefined;
  #enclosing: CallSite | undefined;

  constructor(table: CommandTable) {
    this.#table = table;
  }

  facts(): Facts {
    return {
      callSites: [...this.#callSites, ...[...this.#aliases.values()].flat()].sort(byPlace),
      strayReferences: this.#strayReferences.sort(byPlace),
      unpackCalls: this.#unpackCalls.sort(byPlace),
      opacity: this.#opacity,
    };
  }

  onDeclaration(name: string): void {
    if (name === 'redis') this.#setOpaque('a local named redis');
  }

  aliasIn(init: Expression | undefined): RedisFunction | undefined {
    return init !== undefined && isIndex(init) ? this.#redisFunctionOf(init) : undefined;
  }

  onAlias(binding: Binding, init: Expression): void {
    this.#strayReferences.push({ start: startOf(init) });
    this.#aliases.set(binding, []);
  }

  onName(name: string): void {
    const binding = this.scope.find(name);
    if (binding !== undefined) {
      if (this.#aliases.delete(binding)) this.#setOpaque('an alias of redis.call that cannot be followed');
    } else if (REDIS_GLOBALS.has(name)) {
      this.#setOpaque(`${name} used as a value`);
    } else if (OPAQUE_GLOBALS.has(name)) {
      this.#setOpaque(`the global ${name}`);
    }
  }

  onIndex(node: IndexNode): boolean {
    if (this.#redisFunctionOf(node) !== undefined) {
      this.#strayReferences.push({ start: startOf(node) });
      this.#setOpaque('a reference to redis.call that is not called on the spot');
      return true;
    }
    const member = memberOf(node);
    if (this.#isGlobal(node.base, REDIS_GLOBALS)) {
      if (member === undefined || !HARMLESS_MEMBERS.has(member)) this.#setOpaque('an unknown member of redis');
      return true;
    }
    if (member === 'call' || member === 'pcall') this.#setOpaque(`a member named ${member} of another table`);
    return false;
  }

  onCall(node: CallNode): boolean {
    const { base } = node;
    if (isIndex(base) && this.#redisFunctionOf(base) !== undefined) {
      this.#callSites.push(this.#newSite(node, false));
      return true;
    }
    const binding = base.type === 'Identifier' ? this.scope.find(base.name) : undefined;
    if (binding?.aliasOf !== undefined) {
      this.#aliases.get(binding)?.push(this.#newSite(node, true));
      return true;
    }
    if (this.#isUnpack(base)) {
      this.#unpackCalls.push({ start: startOf(node), isArgument: this.#commandArguments.has(node) });
    }
    return false;
  }

  beforeArguments(node: CallNode): void {
    const site = this.#sites.get(node);
    if (site === undefined) return;
    this.#enclosing = site;
    for (const argument of site.args.slice(1)) this.#commandArguments.add(argument);
  }

  afterArguments(node: CallNode): void {
    const site = this.#sites.get(node);
    if (site !== undefined) this.#enclosing = site.parent;
  }

  #newSite(node: CallNode, isAlias: boolean): CallSite {
    const args = argumentsOf(node);
    const site: CallSite = {
      start: startOf(node),
      form: FORMS[node.type],
      args,
      isAlias,
      parent: this.#enclosing,
      name: stringOf(args[0]),
      command: commandOf(args, this.#table),
    };
    this.#sites.set(node, site);
    return site;
  }

  #setOpaque(reason: string): void {
    this.#opacity ??= reason;
  }

  /** redis.call, redis['call'], server.pcall, with `redis` and `server` being the globals. */
  #redisFunctionOf(node: IndexNode): RedisFunction | undefined {
    if (!this.#isGlobal(node.base, REDIS_GLOBALS)) return undefined;
    const member = memberOf(node);
    return member === 'call' || member === 'pcall' ? member : undefined;
  }

  #isUnpack(node: Expression): boolean {
    if (node.type === 'Identifier') return node.name === 'unpack' && this.scope.find('unpack') === undefined;
    return isIndex(node) && memberOf(node) === 'unpack' && this.#isGlobal(node.base, TABLE_GLOBAL);
  }

  #isGlobal(node: Expression, names: ReadonlySet<string>): boolean {
    return node.type === 'Identifier' && names.has(node.name) && this.scope.find(node.name) === undefined;
  }
}

/** `call` of `x.call` and `x['call']`; undefined for `x:call` and for an index that is no string literal. */
function memberOf(node: IndexNode): string | undefined {
  if (node.type === 'IndexExpression') return stringOf(node.index);
  return node.indexer === '.' ? node.identifier.name : undefined;
}

function byPlace(a: { readonly start: number }, b: { readonly start: number }): number {
  return a.start - b.start;
}
