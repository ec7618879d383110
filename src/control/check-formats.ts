/** How `evalgate check` shows what it found: for people, for programs, and as annotations of a GitHub workflow. */
import type { Finding } from '../lua/report.ts';

export interface CheckedFile {
  /** As it was given; `-` for stdin. */
  readonly path: string;
  /** The sha1 of its bytes, by which EVALSHA calls it. */
  readonly sha: string;
  readonly findings: readonly Finding[];
}

export interface Summary {
  readonly files: number;
  readonly errors: number;
  readonly warnings: number;
  readonly notes: number;
}

export type Format = 'text' | 'json' | 'github';

export const FORMATS: Readonly<Record<Format, (files: readonly CheckedFile[]) => string>> = { text, json, github };

export function isFormat(word: string): word is Format {
  return Object.hasOwn(FORMATS, word);
}

export function summaryOf(files: readonly CheckedFile[]): Summary {
  const count = (severity: Finding['severity']) =>
    files.reduce((sum, file) => sum + file.findings.filter((finding) => finding.severity === severity).length, 0);
  return { files: files.length, errors: count('error'), warnings: count('warning'), notes: count('note') };
}

function text(files: readonly CheckedFile[]): string {
  const blocks = files.map(({ path, sha, findings }) => {
    const lines = findings.flatMap(({ line, column, severity, rule, text, advice }) => [
      `${path}:${line}:${column}: ${severity} ${rule}: ${shown(text)}`,
      `    ${advice}`,
    ]);
    return [...lines, `${path}: sha ${sha}`];
  });
  return lined([...blocks.flat(), summaryLine(files)]);
}

function json(files: readonly CheckedFile[]): string {
  const shownFiles = files.map(({ path, sha, findings }) => ({
    path,
    sha,
    findings: findings.map((finding) => ({ ...finding, text: shown(finding.text) })),
  }));
  return `${JSON.stringify({ files: shownFiles, summary: summaryOf(files) }, null, 2)}\n`;
}

/** https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands */
function github(files: readonly CheckedFile[]): string {
  const lines = files.flatMap(({ path, sha, findings }) => [
    ...findings.map((finding) => annotation(path, finding)),
    `${path}: sha ${sha}`,
  ]);
  return lined([...lines, summaryLine(files)]);
}

function annotation(path: string, { severity, line, column, rule, text, advice }: Finding): string {
  const command = severity === 'note' ? 'notice' : severity;
  const place = `file=${property(path)},line=${line},col=${column},title=${property(`evalgate ${rule}`)}`;
  return `::${command} ${place}::${data(`${shown(text)}\n${advice}`)}`;
}

function data(value: string): string {
  return value.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(value: string): string {
  return data(value).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

function summaryLine(files: readonly CheckedFile[]): string {
  const { errors, warnings, notes } = summaryOf(files);
  const counts = [plural(errors, 'error'), plural(warnings, 'warning'), plural(notes, 'note')];
  return `${plural(files.length, 'file')} checked: ${counts.join(', ')}`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** A wire text holds bytes of the script, one a character; here they are read as UTF-8, and line breaks shown as blanks. */
function shown(text: string): string {
  const bytes = text.replaceAll(/[\u0080-\u00ff]+/g, (run) => Buffer.from(run, 'latin1').toString('utf8'));
  return bytes.replaceAll(/[\r\n]/g, ' ');
}

function lined(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
