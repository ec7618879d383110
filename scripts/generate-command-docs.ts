/**
 * Writes docs/commands.md from the shipped command table, the handling rows and the overrides, so that the page says
 * what the planner does. `npm run gen:docs`; `--check` compares instead of writing and exits 1 when the page is stale.
 *
 * What differs from one Redis server stands in command-notes.ts; a note for a command that does not exist is an error.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GENERATED_FROM } from '../src/command/generated.ts';
import { type Handling, reasonOf } from '../src/command/handling.ts';
import { ADDITIONS, OVERRIDES } from '../src/command/overrides.ts';
import type { ResponsePolicy } from '../src/command/spec.ts';
import { type Command, SHIPPED_TABLE } from '../src/command/table.ts';
import { EVALGATE } from '../src/resp/errors.ts';
import { NOTES } from './command-notes.ts';

const TARGET = join(import.meta.dirname, '../../docs/commands.md');

interface Section {
  readonly title: string;
  readonly text: readonly string[];
  readonly holds: (command: Command) => boolean;
  /** `list`: names, then notes where there are any. `table`: a row for each command. */
  readonly form: 'list' | 'table';
}

const SCRIPTS: readonly Handling[] = [
  ...(['eval', 'evalsha', 'fcall', 'script_load', 'script_exists', 'script_flush', 'script_kill'] as const),
  ...(['script_debug', 'script_show', 'function_stats'] as const),
];

const MERGES: Readonly<Record<ResponsePolicy, string>> = {
  none: 'arrays are joined',
  special: 'arrays are joined',
  one_succeeded: 'one success is enough',
  all_succeeded: 'all must succeed, else the first error',
  agg_logical_and: 'AND of the replies',
  agg_logical_or: 'OR of the replies',
  agg_min: 'the smallest',
  agg_max: 'the largest',
  agg_sum: 'the sum',
};

const SECTIONS: readonly Section[] = [
  {
    title: 'One slot, one key',
    text: ["Forwarded to the master that owns the slot of the key, bytes untouched; the reply is that master's."],
    holds: (command) => command.handling === 'keys' && command.soleKeyIndex > 0,
    form: 'list',
  },
  {
    title: 'One slot, several keys',
    text: [
      'The same, when all keys have one slot: give them a common hash tag, as in `{user1}:a` and `{user1}:b`. Keys of',
      "several slots are refused with `CROSSSLOT Keys in request don't hash to the same slot`.",
    ],
    holds: (command) => (command.handling === 'keys' && command.soleKeyIndex === 0) || command.handling === 'xread',
    form: 'list',
  },
  {
    title: 'Split by slot',
    text: [
      'Keys may have any slots. The request becomes one request for each slot, and the replies are merged. The parts are',
      'not atomic together. If a part fails, the reply is the error of the first failing part in the order of the keys,',
      `with \`${EVALGATE.partFailed}\` behind it.`,
    ],
    holds: (command) => command.handling === 'split',
    form: 'table',
  },
  {
    title: 'Sent to all',
    text: ['Sent to all masters, or to all nodes (replicas too), bytes untouched; the replies are merged.'],
    holds: (command) => command.handling === 'broadcast',
    form: 'table',
  },
  {
    title: 'Walked or collected',
    text: [],
    holds: (command) => ['scan', 'randomkey', 'wait'].includes(command.handling),
    form: 'table',
  },
  {
    title: 'Transactions',
    text: [
      'On a connection of its own, at the master that owns the one slot of all keys, watched ones included. Texts and',
      'order are those of one Redis server; what happens under failover is in [reliability.md](reliability.md).',
    ],
    holds: (command) => command.handling === 'transaction',
    form: 'table',
  },
  {
    title: 'Blocking',
    text: [
      'On a connection of its own, at most `cluster.dedicated_per_node` for a node, at the master that owns the slot of the',
      "keys. The client's next requests wait. Inside MULTI nothing blocks.",
    ],
    holds: (command) => command.handling === 'block',
    form: 'list',
  },
  {
    title: 'Any master',
    text: [
      'Forwarded to one master, the same one for as long as a client is connected and the cluster does not change. What it',
      'says about itself is true for that node only. HELP of every container goes here too.',
    ],
    holds: (command) => ['any', 'select'].includes(command.handling),
    form: 'list',
  },
  {
    title: 'Answered by evalgate',
    text: ["These concern the client's own connection, which ends at evalgate; no node sees them."],
    holds: (command) => command.handling === 'local',
    form: 'table',
  },
  {
    title: 'Clients',
    text: [
      'CLIENT is about the clients of this evalgate, which no node knows. Each evalgate has its own: ids, names and pauses',
      'are not shared between them. Errors have the texts of Redis. No node is asked, so the ACL of the nodes does not judge',
      'them: every client may list, pause and end the others.',
    ],
    holds: (command) => command.handling === 'client',
    form: 'table',
  },
  {
    title: 'The cluster as clients see it',
    text: [
      'evalgate shows itself as one node that owns every slot, so that cluster clients work through it and nothing goes past',
      'it. The address is the one that the client connected to, or `listen.announce`, which is needed behind NAT, behind a',
      'load balancer, and for containers. What changes the cluster is refused: ask a node for that.',
    ],
    holds: (command) => command.handling === 'cluster' || command.handling === 'slot_number',
    form: 'table',
  },
  {
    title: 'Publish and subscribe',
    text: [
      'Subscriptions live on connections to nodes that serve this client alone (`cluster.dedicated_per_node`): channels and',
      'patterns at one master, those of keyspace notifications at every master, sharded channels at the owner of their slot.',
      'A client gets every message once. A RESP2 client that is subscribed may send these commands, PING, QUIT and RESET only,',
      'as with Redis; PING is then answered in the form of a message. What happens when nodes are lost or slots move, and to',
      'clients that do not read, is in [reliability.md](reliability.md).',
    ],
    holds: (command) => ['subscription', 'pubsub'].includes(command.handling),
    form: 'table',
  },
  {
    title: 'Scripts and functions',
    text: [
      'Calls go to the master that owns the slot of their keys. They are judged first; the texts are in',
      '[troubleshooting.md](troubleshooting.md), the Lua checks in [rules.md](rules.md), and how a script is kept from',
      'going missing in [architecture.md](architecture.md). `SCRIPT SHOW`, where the servers have it, gives the body that',
      'evalgate holds.',
    ],
    holds: (command) => SCRIPTS.includes(command.handling),
    form: 'table',
  },
];

/** Commands, and in place of each container its subcommands. */
const COMMANDS: readonly Command[] = SHIPPED_TABLE.commands
  .flatMap((command) => [...(command.subcommands?.commands ?? [command])])
  .sort((a, b) => (a.name < b.name ? -1 : 1));

function shown(name: string): string {
  return `\`${name.replace('|', ' ').toUpperCase()}\``;
}

function render(): string {
  const stray = COMMANDS.filter((command) => homesOf(command) !== 1).map((command) => command.name);
  const unknown = Object.keys(NOTES).filter((name) => !COMMANDS.some((command) => command.name === name));
  if (stray.length > 0) throw new Error(`not in one section: ${stray.join(', ')}`);
  if (unknown.length > 0) throw new Error(`notes for unknown commands: ${unknown.join(', ')}`);
  const parts = [head(), ...SECTIONS.map(sectionText), refusedText(), correctionsText(), indexText()];
  return `${parts.join('\n\n')}\n`;
}

function homesOf(command: Command): number {
  return SECTIONS.filter((section) => section.holds(command)).length + (command.handling === 'unsupported' ? 1 : 0);
}

function head(): string {
  return [
    '# Commands',
    '',
    'Written by `npm run gen:docs` from the command table: do not edit.',
    '',
    `What evalgate does with each command and subcommand of ${GENERATED_FROM}, the table that ships with it. While it runs`,
    "it goes by the cluster's own `COMMAND`: where keys stand, and which commands go to all nodes or are split, is what the",
    'servers say, so commands of newer servers and of modules work without an entry here. A command that the cluster does',
    'not know is forwarded to a master, whose error is the reply; so is a command with a wrong number of arguments. A',
    'command that blocks is refused. The last section lists all commands from A to Z.',
  ].join('\n');
}

function sectionText({ title, text, holds, form }: Section): string {
  const members = COMMANDS.filter(holds);
  const body = form === 'table' ? tableOf(members) : listOf(members);
  return [`## ${title}`, ...(text.length > 0 ? ['', ...text] : []), '', ...body].join('\n');
}

function listOf(members: readonly Command[]): string[] {
  const notes = members.filter((command) => NOTES[command.name] !== undefined);
  const rows = notes.map((command) => `| ${shown(command.name)} | ${NOTES[command.name]} |`);
  const table = rows.length > 0 ? ['', '| Command | What differs |', '|---|---|', ...rows] : [];
  return [...wrapped(members.map((command) => shown(command.name))), ...table];
}

/** A paragraph of names, in lines of at most 120 characters. */
function wrapped(names: readonly string[]): string[] {
  const lines: string[] = [];
  let line = '';
  names.forEach((name, i) => {
    const word = i === names.length - 1 ? name : `${name},`;
    if (line.length + word.length + 1 > 120) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  });
  return [...lines, line];
}

function tableOf(members: readonly Command[]): string[] {
  const rows = members.map((command) => {
    const cells = [merging(command), NOTES[command.name] ?? ''].filter((cell) => cell !== '');
    return `| ${shown(command.name)} | ${cells.join('. ')} |`;
  });
  return ['| Command | What happens |', '|---|---|', ...rows];
}

/** Where a command that becomes many goes, and how the replies are merged. */
function merging({ handling, spec }: Command): string {
  if (handling === 'split') {
    return spec.responsePolicy === 'none' ? 'Values in the order of the keys' : capital(MERGES[spec.responsePolicy]);
  }
  if (handling !== 'broadcast') return '';
  const scope = spec.requestPolicy === 'all_nodes' ? 'All nodes' : 'All masters';
  return `${scope}; ${MERGES[spec.responsePolicy]}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function refusedText(): string {
  const refused = COMMANDS.filter((command) => command.handling === 'unsupported');
  const reasons = new Map<string, Command[]>();
  for (const command of refused) {
    const reason = reasonOf(command.spec);
    reasons.set(reason, [...(reasons.get(reason) ?? []), command]);
  }
  const rows = [...reasons].map(
    ([reason, commands]) => `| ${commands.map((command) => shown(command.name)).join(', ')} | ${reason} |`,
  );
  return [
    '## Not supported',
    '',
    `Refused with \`${EVALGATE.notSupported('X', 'why')}\`, where X is the command as it stands below, and the reason`,
    'what stands behind it. Nothing of a refused command reaches a node. Subcommands of `CLIENT`, `CLUSTER` and `MODULE`',
    'that the servers have and this page does not know are refused likewise; those that nobody knows get the text of Redis.',
    `Also refused: \`XREAD\` and \`XREADGROUP\` with \`BLOCK\` (\`${EVALGATE.notSupported('XREAD BLOCK')}\`).`,
    '',
    '| Commands | Why |',
    '|---|---|',
    ...rows,
  ].join('\n');
}

function correctionsText(): string {
  return [
    '## Corrections to the table',
    '',
    "Where the servers' `COMMAND` says too little, or a proxy has to do otherwise:",
    '',
    '| Command | Why |',
    '|---|---|',
    ...OVERRIDES.map(({ name, reason }) => `| ${shown(name)} | ${reason} |`),
    ...ADDITIONS.map(({ spec, reason }) => `| ${shown(spec.name)} | ${reason} |`),
  ].join('\n');
}

function indexText(): string {
  const rows = COMMANDS.map((command) => {
    const title = SECTIONS.find((section) => section.holds(command))?.title ?? 'Not supported';
    const anchor = title.toLowerCase().replaceAll(',', '').replaceAll(' ', '-');
    return `| ${shown(command.name)} | [${title}](#${anchor}) |`;
  });
  return ['## A to Z', '', '| Command | Section |', '|---|---|', ...rows].join('\n');
}

const text = render();
if (!process.argv.includes('--check')) writeFileSync(TARGET, text);
else if (!existsSync(TARGET) || readFileSync(TARGET, 'utf8') !== text) {
  console.error('docs/commands.md is stale: run npm run gen:docs');
  process.exitCode = 1;
}
