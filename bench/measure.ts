/** One run of redis-benchmark, and what the kernel says of a process meanwhile. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { KEY_COUNT } from './workloads.ts';

export const CLIENT_COUNT = 50;
/** USER_HZ, the unit of CPU times in /proc, is 100 on every Linux that Node.js runs on. */
const TICK_US = 10_000;

export interface Load {
  readonly port: number;
  readonly pipeline: number;
  readonly requestCount: number;
  readonly command: readonly string[];
}

export interface Measurement {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The last line of --csv without the name, which holds the whole command, line breaks and quotes included. */
const CSV_END = /"(?<rps>[\d.]+)","[\d.]+","[\d.]+","(?<p50>[\d.]+)","[\d.]+","(?<p99>[\d.]+)","[\d.]+"\s*$/;

export async function measure({ port, pipeline, requestCount, command }: Load): Promise<Measurement> {
  const options = ['-p', port, '-c', CLIENT_COUNT, '-P', pipeline, '-n', requestCount, '-r', KEY_COUNT].map(String);
  const child = spawn('redis-benchmark', [...options, '--csv', ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    output += chunk;
  });
  await once(child, 'close');
  const figures = CSV_END.exec(output)?.groups;
  if (figures === undefined || output.includes('Error from server')) {
    throw new Error(`redis-benchmark ${command[0]} on port ${port} failed: ${output.slice(0, 500)}`);
  }
  return { perSecond: Number(figures['rps']), p50Ms: Number(figures['p50']), p99Ms: Number(figures['p99']) };
}

/** CPU time that a process and its children have used since they started, user and system, in microseconds. */
export function cpuTimeUs(pid: number): number {
  return sum([pid, ...childrenOf(pid)].map(ownCpuTimeUs));
}

function ownCpuTimeUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field, the name in parentheses, may hold blanks; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

/** The most memory that a process and its children have held, each at its time, in MB. */
export function peakMemoryMb(pid: number): number {
  return sum([pid, ...childrenOf(pid)].map(ownPeakMb));
}

function ownPeakMb(pid: number): number {
  const peakKb = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(peakKb) / 1024;
}

/** Workers; they have no children themselves. */
function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
  return children.split(' ').filter(Boolean).map(Number);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
