/**
 * What is counted and measured of the requests of all clients: made once, written by the sessions on the hot path
 * (plain numbers and fixed arrays only, no clock read of its own), read by the admin port.
 *
 *     dispatch ─▶ onRequest: one counter by kind of command
 *     reply ────▶ onAnswer:  two histograms (all, and the node's), for calls those of scripts and of the script too
 *     error ────▶ errors:    one counter by code
 *
 * A latency goes from when a request was taken from its client until its reply came; one that became many counts once
 * for every node that it went to. Commands that can block are not measured when they took long.
 */
import { fineBucketOf, LatencyHistogram } from '../base/latency.ts';
import { ALONE } from '../base/numbering.ts';
import { COMMAND_CLASSES, type CommandClass } from '../command/command-class.ts';
import type { Command } from '../command/table.ts';
import type { Plan } from '../plan/plan.ts';
import type { Script } from '../script/script.ts';
import { ScriptUsage } from '../script/script-usage.ts';
import type { Exchange } from '../upstream/exchange.ts';
import type { Turn } from '../upstream/turn.ts';
import type { ClientState } from './client-state.ts';
import { ErrorCodes } from './error-codes.ts';
import { shownArgs } from './slow-args.ts';
import { SLOW_MS, SlowLog, type SlowRequest } from './slow-log.ts';

const OTHER = COMMAND_CLASSES.indexOf('other');
const REFUSED = COMMAND_CLASSES.indexOf('refused');
const MINUS = 0x2d;

/** What somebody may want to tell of; called on the way of a request, so nothing slow. */
export interface TrafficEvents {
  onSlow(request: SlowRequest): void;
  /** A node lacked a script that it should have had; the call goes to it once more, with the body. */
  onHealed(script: Script, node: string): void;
}

export class Statistics {
  readonly events: TrafficEvents;
  readonly errors = new ErrorCodes();
  readonly slowLog: SlowLog;
  /** Of everything that a node answered. */
  readonly latency = new LatencyHistogram();
  /** Of calls of scripts and functions. */
  readonly callLatency = new LatencyHistogram();
  readonly #turn: Turn;
  readonly #requests = new Float64Array(COMMAND_CLASSES.length);

  constructor(turn: Turn, events: TrafficEvents, numbering = ALONE) {
    this.#turn = turn;
    this.slowLog = new SlowLog(numbering);
    this.events = events;
  }

  requestsOf(kind: CommandClass): number {
    return this.#requests[COMMAND_CLASSES.indexOf(kind)] as number;
  }

  /** A request was planned. */
  onRequest(plan: Plan, command: Command | undefined): void {
    const isRefused = plan.kind === 'reply' && plan.bytes[0] === MINUS;
    const kind = isRefused ? REFUSED : command === undefined ? OTHER : command.classIndex;
    this.#requests[kind] = (this.#requests[kind] as number) + 1;
  }

  /** A request, or a part of one, that was sent to a node has its reply; its bytes are still held. */
  onAnswer(exchange: Exchange, client: ClientState, isError: boolean): void {
    const { connection, call } = exchange;
    if (connection === undefined) return;
    const turn = this.#turn;
    const heldMs = turn.lastMs - exchange.sinceMs;
    if (heldMs >= SLOW_MS && connection.state !== 'closed' && this.#isSlow(exchange, client, heldMs)) return;
    const us = (turn.lastUs - exchange.takenUs) | 0;
    const bucket = fineBucketOf(us);
    this.latency.add(bucket, us);
    connection.pool.facts.latency.add(bucket, us);
    if (call === undefined) return;
    this.callLatency.add(bucket, us);
    const { script } = call;
    if (script === undefined) return;
    script.usage ??= new ScriptUsage();
    script.usage.note(bucket, isError);
  }

  /** A script was called inside EXEC, whose reply does not tell how long each of its commands took. */
  onExecutedCall(script: Script, isError: boolean): void {
    script.usage ??= new ScriptUsage();
    script.usage.count(isError);
  }

  /** Notes a slow request; true when it waited on purpose, and is not to be measured. */
  #isSlow(exchange: Exchange, client: ClientState, heldMs: number): boolean {
    const { command, connection, call } = exchange;
    if (command?.handling === 'wait' || command?.spec.flags.includes('blocking')) return true;
    const request = this.slowLog.add({
      unixMs: Date.now(),
      durationUs: heldMs * 1000,
      args: shownArgs(exchange),
      clientId: client.id,
      clientAddress: client.address,
      clientName: client.name,
      node: connection?.node.address ?? '',
      sha: call?.script?.sha,
    });
    this.events.onSlow(request);
    return false;
  }
}
