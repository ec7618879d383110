/** The text of a script and where its lines stand, for people: lines and columns count from 1. */

export interface Position {
  readonly line: number;
  readonly column: number;
}

const SHOWN_LINE_CHARS = 120;

export class Source {
  /** One character a byte of the body (latin1). */
  readonly text: string;
  #lineStarts: number[] | undefined;
  #shown: { readonly line: number; readonly text: string } | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** The line is what Lua counts; the column counts bytes. */
  positionOf(offset: number): Position {
    const starts = this.#starts();
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (starts[low] as number) + 1 };
  }

  /** The line, decoded as UTF-8, cut to 120 characters, without its line break. */
  lineText(line: number): string {
    // Findings come in order, so that neighbours often share their line.
    if (this.#shown?.line !== line) this.#shown = { line, text: this.#shownText(line) };
    return this.#shown.text;
  }

  #shownText(line: number): string {
    const starts = this.#starts();
    const start = starts[line - 1] ?? this.text.length;
    // Four bytes a character at most, so the cut below never lacks any.
    const cut = this.text.slice(start, Math.min(starts[line] ?? this.text.length, start + SHOWN_LINE_CHARS * 4));
    const decoded = Buffer.from(cut.replace(/[\r\n]+$/, ''), 'latin1').toString('utf8');
    return Array.from(decoded).slice(0, SHOWN_LINE_CHARS).join('');
  }

  #starts(): readonly number[] {
    if (this.#lineStarts === undefined) {
      this.#lineStarts = [0];
      for (const match of this.text.matchAll(/\r\n|\n\r|\r|\n/g)) this.#lineStarts.push(match.index + match[0].length);
    }
    return this.#lineStarts;
  }
}
