/**
 * What goes wrong between evalgate and the people who run it: config, ports, binaries. Thrown only at construction and
 * on the control plane, shown as its one line without a stack. What goes wrong for a client is a wire error instead
 * (resp/errors.ts), a value that is never thrown.
 *
 * The text says what could not be done, then a colon, then the wanted and the current state, without a full stop:
 * `Cannot load config "evalgate.yaml": listen.port must be 0 to 65535: current value is 70000`.
 */

export type OperatorErrorCode =
  | 'EVALGATE_CONFIG'
  | 'EVALGATE_LISTEN'
  | 'EVALGATE_TLS'
  | 'EVALGATE_ADMIN'
  | 'EVALGATE_PRELOAD'
  | 'EVALGATE_WORKER'
  | 'EVALGATE_NO_SERVER_BINARY'
  | 'EVALGATE_LOCAL_CLUSTER'
  | 'EVALGATE_CLUSTER_UNREACHABLE';

export class OperatorError extends Error {
  override readonly name = 'OperatorError';
  readonly code: OperatorErrorCode;
  /** What is wrong, one by one, when the message tells several things at once; else the message. */
  readonly problems: readonly string[];

  constructor(
    code: OperatorErrorCode,
    message: string,
    options: ErrorOptions & { readonly problems?: readonly string[] } = {},
  ) {
    super(message, options);
    this.code = code;
    this.problems = options.problems ?? [message];
  }
}
