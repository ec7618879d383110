/**
 * Commands about all clients, answered by evalgate itself, are the cluster's to allow all the same: a client that logged
 * in as a user of the cluster may use them if that user may at a node. The node is asked with a form of the same
 * subcommand that does nothing there; it judges rights before arguments.
 */
import type { Command } from '../command/table.ts';
import { encodeCommand } from '../resp/encode.ts';
import { EVALGATE, errorLine } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import { askAlone } from './ask-alone.ts';
import type { Session } from './session.ts';

const QUESTIONS: Readonly<Record<string, Buffer>> = {
  'client|list': encodeCommand('CLIENT', 'LIST', 'TYPE', 'x'),
  'client|kill': encodeCommand('CLIENT', 'KILL', 'ID', '0'),
  'client|pause': encodeCommand('CLIENT', 'PAUSE', 'x'),
  // It has no form that does nothing; who may not pause clients may not end a pause.
  'client|unpause': encodeCommand('CLIENT', 'PAUSE', 'x'),
  'client|unblock': encodeCommand('CLIENT', 'UNBLOCK', '0'),
  'slowlog|get': encodeCommand('SLOWLOG', 'GET', '0'),
  'slowlog|len': encodeCommand('SLOWLOG', 'LEN'),
  // As `unpause`: a RESET would be one.
  'slowlog|reset': encodeCommand('SLOWLOG', 'GET', '0'),
};

/** Whether the command may be carried out now; if not, it is being asked for, or was refused and is answered. */
export function isPermitted(session: Session, command: Command, request: Request): boolean {
  const question = Object.hasOwn(QUESTIONS, command.name) ? QUESTIONS[command.name] : undefined;
  const { standing } = session;
  if (question === undefined || standing.identity.kind === 'own') return true;
  const { answer } = standing;
  standing.answer = undefined;
  if (answer === undefined) {
    session.dispatchAgain(request.copy(), ask(session, question));
    return false;
  }
  const isRefused = /^-(?:NOPERM|NOAUTH|ERR evalgate)/.test(answer.toString('latin1', 0, 16));
  if (isRefused) session.reply(answer);
  return !isRefused;
}

function ask(session: Session, question: Buffer): Promise<void> {
  const node = session.topology.shards[0]?.primary;
  return new Promise((resolve) => {
    const onAnswer = (answer: Buffer): void => {
      session.standing.answer = answer;
      resolve();
    };
    if (node === undefined) onAnswer(errorLine(EVALGATE.noTopology));
    else askAlone(session, { node, frame: question }, onAnswer);
  });
}
