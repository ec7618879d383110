/** Options of the commands, by node's parseArgs; a wrong one is a UsageError, which ends with exit code 2. */
import { type ParseArgsConfig, parseArgs } from 'node:util';

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The option values; throws a UsageError for unknown options and for words that are none. */
export function parseOptions<const T extends NonNullable<ParseArgsConfig['options']>>(
  argv: readonly string[],
  options: T,
) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: false, strict: true }).values;
  } catch (error) {
    // Node adds a hint on how to quote; the first sentence says it all.
    throw new UsageError((error as Error).message.split('. ')[0] ?? 'wrong options');
  }
}

/** The number in an option's text; throws a UsageError that names the option. */
export function wholeNumber(option: string, text: string, range: readonly [number, number]): number {
  const [min, max] = range;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`--${option} must be ${min} to ${max}: current value is "${text}"`);
}
