/**
 * Sends script calls so that no NOSCRIPT comes of it (C5): by sha where the connection is marked as having the script,
 * else with its body.
 *
 *     marked ─▶ EVALSHA sha …
 *     else   ─▶ [SCRIPT LOAD body]  when the script is of LOAD origin, so that the node will not evict it
 *               [ASKING]            when the node only imports the slot; it holds for the next command alone
 *               EVAL body …         and the connection is marked
 *
 * Where an ACL does not allow that, a call goes up as it came (`Identity.isLimited`, learned from what nodes refused), and
 * what may only be called by sha is loaded by the proxy's own user first (`needsLoading`, repairs.ts).
 *
 * `[SCRIPT LOAD][EVALSHA]` would not do: a flush may come in between.
 */
import { encodeBulk, encodeCommand } from '../resp/encode.ts';
import type { Script } from '../script/script.ts';
import { IMPOSSIBLE_SHA } from '../script/sha.ts';
import type { Identity } from './access.ts';
import type { Connection } from './connection.ts';
import { type Call, type CallForm, Exchange, IGNORE, type Sink } from './exchange.ts';

/** Where the request stands now: in the client's bytes, or in the batch of an earlier attempt. */
export interface Source {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

const ASKING = encodeCommand('ASKING');
const LOAD_HEAD = Buffer.from('*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n');
const CRLF = Buffer.from('\r\n');
/** No function can have this name (`functionsVerifyName` in Redis's functions.c). */
const IMPOSSIBLE_FUNCTION = encodeBulk('-');

const IMPOSSIBLE_SHA_BYTES = Buffer.from(IMPOSSIBLE_SHA);
const KEEP_HEADS = 256;
const EVALSHA_HEADS: Buffer[] = [];
const EVALSHA_RO_HEADS: Buffer[] = [];

/** Sends a plain request, or a call; ASKING before it if it follows an ASK. */
export function sendExchange(exchange: Exchange, connection: Connection, source: Source, isAsking: boolean): void {
  const { call } = exchange;
  if (call !== undefined) {
    sendCall(exchange, call, { connection, source, isAsking });
    return;
  }
  if (isAsking) connection.sendOwn(new Exchange(IGNORE, 0, undefined, 0), ASKING);
  connection.send(exchange, source.bytes, source.start, source.end);
}

interface Route {
  readonly connection: Connection;
  readonly source: Source;
  readonly isAsking: boolean;
}

function sendCall(exchange: Exchange, call: Call, route: Route): void {
  const { connection, source, isAsking } = route;
  const { script } = call;
  const form = script === undefined ? call.form : formFor(call, script, connection);
  if (script?.origin === 'load' && form === 'eval' && !connection.pool.access.identity.sendsEvalAsIs) {
    sendLoad(connection, script);
  }
  if (isAsking) connection.sendOwn(new Exchange(IGNORE, 0, undefined, 0), ASKING);
  if (script === undefined || form === call.bytesForm) {
    connection.send(exchange, source.bytes, source.start, source.end);
  } else {
    const tail = { bytes: source.bytes, start: source.start + call.tail, end: source.end };
    connection.sendJoined(exchange, form === 'evalsha' ? shaHead(call, script) : bodyHead(call, script), tail);
    call.tail = exchange.end - exchange.start - (tail.end - tail.start);
    call.bytesForm = form;
  }
  if (script !== undefined && form === 'eval') connection.marks.add(script);
}

/**
 * By sha if the node has the script, as far as this connection knows, and will keep it; else with the body. A
 * call by sha of a script that was flushed meanwhile must not bring it back.
 */
function formFor(call: Call, script: Script, connection: Connection): CallForm {
  if (script.number < 0 && call.form === 'evalsha') return 'evalsha';
  const { facts, options, access } = connection.pool;
  if (access.identity.isLimited && goesAsItCame(call, access.identity)) return call.form;
  const isKept = script.origin === 'load' || !facts.evictsScripts || facts.recent.touch(script);
  if (call.mustSendBody || script.mimicsNoscript || !isKept || !connection.marks.has(script)) return 'eval';
  return call.form === 'evalsha' || options.evalToEvalsha ? 'evalsha' : 'eval';
}

function goesAsItCame(call: Call, identity: Identity): boolean {
  return call.form === 'eval' ? identity.sendsEvalAsIs : identity.mayOnlyEvalsha;
}

/** Whether the script of an EVALSHA has to be loaded by the proxy's own user before the call is sent. */
export function needsLoading(call: Call, connection: Connection): boolean {
  const { script } = call;
  if (script === undefined || call.form !== 'evalsha' || !connection.pool.access.identity.mayOnlyEvalsha) return false;
  return script.isAccepted && script.number >= 0 && !connection.marks.has(script);
}

/** Tells what a user's ACL does not allow: the EVAL behind it runs all the same, if that is allowed. */
const NOTE_DENIAL: Sink = {
  onReply: ({ connection }, bytes, start) => {
    if (connection === undefined || bytes.toString('latin1', start, start + 8) !== '-NOPERM ') return;
    const { identity } = connection.pool.access;
    identity.denyForEval();
    identity.denyForEvalsha();
  },
  onFailure: () => {},
};

function sendLoad(connection: Connection, script: Script): void {
  connection.sendOwn(new Exchange(NOTE_DENIAL, 0, undefined, 0), loadCommand(script));
}

/** SCRIPT LOAD of the script. */
export function loadCommand(script: Script): Buffer {
  const header = Buffer.from(`$${script.body.length}\r\n`);
  return Buffer.concat([LOAD_HEAD, header, script.body, CRLF]);
}

/** A call with the body, of which `tail` is the rest from numkeys on: inside MULTI no NOSCRIPT can be healed. */
export function withBody(call: Pick<Call, 'argc' | 'isReadOnly'>, script: Script, tail: Buffer): Buffer {
  return Buffer.concat([...bodyHead(call, script), tail]);
}

function bodyHead(call: Pick<Call, 'argc' | 'isReadOnly'>, script: Script): Buffer[] {
  const name = call.isReadOnly ? '$7\r\nEVAL_RO' : '$4\r\nEVAL';
  return [Buffer.from(`*${call.argc}\r\n${name}\r\n$${script.body.length}\r\n`), script.body, CRLF];
}

function shaHead(call: Call, script: Script): Buffer[] {
  return [evalshaHead(call.argc, call.isReadOnly), script.shaBytes, CRLF];
}

/** `*argc EVALSHA $40`, made once for every number of arguments that occurs often. */
function evalshaHead(argc: number, isReadOnly: boolean): Buffer {
  const heads = isReadOnly ? EVALSHA_RO_HEADS : EVALSHA_HEADS;
  const known = heads[argc];
  if (known !== undefined) return known;
  const name = isReadOnly ? '$10\r\nEVALSHA_RO' : '$7\r\nEVALSHA';
  const head = Buffer.from(`*${argc}\r\n${name}\r\n$40\r\n`);
  if (argc < KEEP_HEADS) heads[argc] = head;
  return head;
}

/** Asks whether the user may run the command in which a call went up: without a good number of keys it runs nothing. */
export function sendPermissionWitness(witness: Exchange, of: Exchange, call: Call): void {
  const name = `${call.bytesForm}${call.isReadOnly ? '_ro' : ''}`;
  of.connection?.sendOwn(witness, encodeCommand(name, 'x', 'x'));
}

/**
 * Sends the witness of a call on the connection that answered it: a call of a script or function that cannot exist,
 * with the same keys. It passes the same redirect and state checks of the node and never runs (C4).
 */
export function sendWitness(witness: Exchange, of: Exchange, call: Call, isAsking: boolean): void {
  const { connection, batch } = of;
  if (connection === undefined || batch === undefined) return;
  const argc = 3 + call.keyCount;
  const head =
    call.form === 'function'
      ? [Buffer.from(`*${argc}\r\n${call.isReadOnly ? '$8\r\nFCALL_RO' : '$5\r\nFCALL'}\r\n`), IMPOSSIBLE_FUNCTION]
      : [evalshaHead(argc, call.isReadOnly), IMPOSSIBLE_SHA_BYTES, CRLF];
  const start = of.start + call.tail;
  if (isAsking) connection.sendOwn(new Exchange(IGNORE, 0, undefined, 0), ASKING);
  connection.sendJoined(witness, head, { bytes: batch.buffer, start, end: start + call.keysBytes });
}

/** The name in a function call, a character for each byte; undefined when its bytes are not held. */
export function functionNameOf({ batch, start, call }: Exchange): string | undefined {
  if (batch === undefined || call === undefined) return undefined;
  const head = batch.buffer.toString('latin1', start, start + call.tail - CRLF.length);
  return /^\*\d+\r\n\$\d+\r\n\w+\r\n\$\d+\r\n(.*)$/s.exec(head)?.[1];
}
