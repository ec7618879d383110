/**
 * The logger, made once by the composition root and handed down. JSON lines on stdout for machines, or text for people;
 * written synchronously, so that the last line before an exit is not lost. Secrets are redacted by key; key values,
 * script bodies and arguments of clients are never given to it.
 */
import { destination, type Logger, type LoggerOptions, pino, stdTimeFunctions } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Config } from './config-schema.ts';

const SECRETS = ['password', 'token'];

const OPTIONS: LoggerOptions = {
  redact: { paths: SECRETS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '[secret]' },
};

/** Takes whole lines, line break included. */
export interface LineSink {
  write(line: string): void;
}

/** A logger as the config says, on stdout unless another sink is given. */
export function createLogger(settings: Config['log'], sink: LineSink = destination({ fd: 1, sync: true })): Logger {
  const { level, format } = settings;
  if (format === 'pretty') return pino({ ...OPTIONS, level }, prettySink(sink));
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ ...OPTIONS, level, formatters, timestamp: stdTimeFunctions.isoTime }, sink);
}

/** The formatter alone, without pino-pretty's stream, which writes later than it is told to. */
function prettySink(sink: LineSink): LineSink {
  const format = prettyFactory({
    colorize: process.stdout.isTTY === true,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return { write: (line) => sink.write(format(line)) };
}
