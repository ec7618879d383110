/**
 * The commands that the cluster knows, found by the bytes of their name without making a string.
 *
 * A table is immutable. The first one is shipped (generated from Redis 7.0); when the cluster's own `COMMAND` is
 * known, `tableFromReply` builds one from it and the shell swaps them. What an old server does not tell (6.2: tips,
 * key specifications, subcommands) is taken from the shipped row of the same name.
 */
import { lowerCaseByte } from '../resp/bytes.ts';
import { COMMAND_CLASSES, classOf } from './command-class.ts';
import { specsFromReply } from './from-reply.ts';
import { GENERATED } from './generated.ts';
import { type Handling, handlingOf } from './handling.ts';
import { ADDITIONS, OVERRIDES } from './overrides.ts';
import { isReplicaRead } from './replica-reads.ts';
import type { CommandSpec } from './spec.ts';

/** A command with what is asked of it for every request, worked out once. */
export class Command {
  readonly spec: CommandSpec;
  /** `get`, or `config|set` for a subcommand. */
  readonly name: string;
  /** The word that is looked up: `get`, or `set` for `config|set`. */
  readonly word: string;
  readonly arity: number;
  readonly handling: Handling;
  /** Index among COMMAND_CLASSES: what its requests are counted as. */
  readonly classIndex: number;
  readonly isReadonly: boolean;
  readonly isWrite: boolean;
  /** A replica may answer it. */
  readonly isReplicaRead: boolean;
  /** Index of the only key; 0 when the keys need a look at the key specifications, or there are none. */
  readonly soleKeyIndex: number;
  readonly hasKeys: boolean;
  readonly subcommands: CommandTable | undefined;

  constructor(spec: CommandSpec) {
    this.spec = spec;
    this.name = spec.name;
    this.word = spec.name.slice(spec.name.indexOf('|') + 1);
    this.arity = spec.arity;
    this.handling = handlingOf(spec);
    this.classIndex = COMMAND_CLASSES.indexOf(classOf(spec, this.handling));
    this.isReadonly = spec.flags.includes('readonly');
    this.isWrite = spec.flags.includes('write');
    this.isReplicaRead = isReplicaRead(spec, this.handling);
    this.hasKeys = spec.keySpecs.length > 0;
    this.soleKeyIndex = soleKeyIndex(spec);
    this.subcommands = spec.subcommands.length > 0 ? new CommandTable(spec.subcommands) : undefined;
  }

  /** Whether a request of so many arguments passes the server's arity check. */
  fitsArity(argc: number): boolean {
    return this.arity < 0 ? argc >= -this.arity : argc === this.arity;
  }
}

function soleKeyIndex(spec: CommandSpec): number {
  const [only, ...others] = spec.keySpecs;
  if (only === undefined || others.length > 0) return 0;
  const { begin, find } = only;
  return begin.kind === 'index' && find.kind === 'range' && find.lastKey === 0 ? begin.index : 0;
}

/** An immutable set of commands with open addressing over a hash of the lower-cased name. */
export class CommandTable {
  readonly commands: readonly Command[];
  readonly #slots: (Command | undefined)[];
  readonly #mask: number;

  constructor(specs: readonly CommandSpec[]) {
    this.commands = specs.map((spec) => new Command(spec));
    let size = 16;
    while (size < specs.length * 4) size *= 2;
    this.#mask = size - 1;
    this.#slots = new Array<Command | undefined>(size).fill(undefined);
    for (const command of this.commands) this.#insert(command);
  }

  #insert(command: Command): void {
    const bytes = Buffer.from(command.word, 'latin1');
    let at = hashOf(bytes, 0, bytes.length) & this.#mask;
    while (this.#slots[at] !== undefined) at = (at + 1) & this.#mask;
    this.#slots[at] = command;
  }

  /** The command whose name stands in bytes [start, end), in any case. */
  find(bytes: Uint8Array, start: number, end: number): Command | undefined {
    let at = hashOf(bytes, start, end) & this.#mask;
    for (;;) {
      const command = this.#slots[at];
      if (command === undefined || isNamed(command.word, bytes, start, end)) return command;
      at = (at + 1) & this.#mask;
    }
  }

  /** The command (`get`) or subcommand (`config|set`, `config set`) of that name, in any case. */
  findByName(name: string): Command | undefined {
    const [container, sub] = name.split(/[| ]/, 2);
    const bytes = Buffer.from(container ?? '', 'latin1');
    const command = this.find(bytes, 0, bytes.length);
    return sub === undefined ? command : command?.subcommands?.findByName(sub);
  }
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + ((bytes[i] as number) | 0x20)) | 0;
  return hash ^ (hash >>> 12);
}

function isNamed(name: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) {
    if (lowerCaseByte(bytes[start + i] as number) !== name.charCodeAt(i)) return false;
  }
  return true;
}

/** The table that ships with evalgate: used until the cluster's own is known, and by `evalgate check`. */
export const SHIPPED_TABLE = new CommandTable(GENERATED.map(overridden));

/**
 * A table from a decoded `COMMAND` reply; the shipped table when the reply holds no command at all.
 * Commands that the server lacks are not in it: they are forwarded, so that the server's own text answers.
 */
export function tableFromReply(reply: unknown): CommandTable {
  const specs = specsFromReply(reply);
  if (specs.length === 0) return SHIPPED_TABLE;
  const untold = GENERATED.filter(({ name }) => UNTOLD.includes(name) && !specs.some((spec) => spec.name === name));
  return new CommandTable([...specs, ...untold].map((spec) => overridden(completed(spec))));
}

/** 6.2 does QUIT without calling it a command. Forwarded, it would end a connection that others share. */
const UNTOLD: readonly string[] = ['quit'];

/** Adds to a live row what its server is too old to tell. */
function completed(spec: CommandSpec): CommandSpec {
  const shipped = SHIPPED_TABLE.findByName(spec.name)?.spec;
  if (shipped === undefined) return spec;
  return {
    ...spec,
    subcommands: spec.subcommands.length > 0 ? spec.subcommands.map(completed) : shipped.subcommands,
    // Before 7.0 a container has a key (OBJECT), and its subcommands are unknown.
    keySpecs: tellsDetails(spec) || shipped.keySpecs.length === 0 ? spec.keySpecs : shipped.keySpecs,
    requestPolicy: spec.requestPolicy === 'none' ? shipped.requestPolicy : spec.requestPolicy,
    responsePolicy: spec.responsePolicy === 'none' ? shipped.responsePolicy : spec.responsePolicy,
  };
}

/** Rows of a server before 7.0 carry one key specification without flags at most. */
function tellsDetails(spec: CommandSpec): boolean {
  return spec.keySpecs.some((keySpec) => keySpec.flags.length > 0);
}

function overridden(spec: CommandSpec): CommandSpec {
  const change = OVERRIDES.find((row) => row.name === spec.name)?.change;
  const missing = ADDITIONS.map((addition) => addition.spec).filter(
    (added) => added.name.startsWith(`${spec.name}|`) && !spec.subcommands.some((sub) => sub.name === added.name),
  );
  return { ...spec, ...change, subcommands: [...spec.subcommands, ...missing].map(overridden) };
}
