/** Whether a call site reads or writes (R12), by the flags of its command; those of a container stand on its subcommand. */
import type { Command } from '../command/table.ts';
import { type CallSite, isOpenContainer } from './call-site.ts';
import type { Facts } from './facts.ts';

/** Not flagged readonly, because they read nothing; harmless everywhere. */
const TOUCHES_NOTHING: ReadonlySet<string> = new Set(['time', 'echo', 'ping']);

export interface Access {
  /** Sites whose command is known to be flagged write (R12b). */
  readonly writes: readonly CallSite[];
  /** Sites whose command is known and not flagged readonly (R12a). */
  readonly nonReads: readonly CallSite[];
  /** Commands may run that the sites do not show: a read-only account must send such a script as EVAL_RO. */
  readonly isOpaque: boolean;
  /** Proven fit for a replica (R12c). */
  readonly isReadOnly: boolean;
}

export function accessOf(text: string, facts: Facts): Access {
  const { callSites } = facts;
  const isOpaque = facts.opacity !== undefined || !callSites.every(isCommandKnown);
  const hasShebang = text.startsWith('#!');
  const readsOnly = !isOpaque && callSites.every((site) => site.command !== undefined && runsOnReplicas(site.command));
  return {
    writes: callSites.filter((site) => site.command?.isWrite === true),
    nonReads: callSites.filter((site) => isCommandKnown(site) && site.command !== undefined && !reads(site.command)),
    isOpaque,
    isReadOnly: hasShebang ? declaresNoWrites(text) : readsOnly,
  };
}

function isCommandKnown({ command }: CallSite): boolean {
  return command !== undefined && !isOpenContainer(command);
}

function reads(command: Command): boolean {
  return command.isReadonly || TOUCHES_NOTHING.has(command.name);
}

/** PFCOUNT is flagged readonly, but it may write its key (a cached count): replicas refuse that. */
function runsOnReplicas(command: Command): boolean {
  const { flags, keySpecs } = command.spec;
  return reads(command) && !flags.includes('noscript') && !keySpecs.some((keySpec) => keySpec.flags.includes('rw'));
}

/** `#!lua flags=no-writes`: the node itself refuses writes then. */
function declaresNoWrites(text: string): boolean {
  const [engine, ...options] = (/^.*/.exec(text)?.[0] ?? '').trimEnd().split(/[ \t]+/);
  const isDeclared = (option: string) =>
    option.startsWith('flags=') && option.slice(6).split(',').includes('no-writes');
  return engine === '#!lua' && options.some(isDeclared);
}
