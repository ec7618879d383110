/** Rows of text as one table: aligned for a terminal, or Markdown. Columns of figures stand to the right. */

export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  markdown: boolean,
): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const isFigure = header.map((_, column) => rows.every((row) => !/\p{L}/u.test(row[column] ?? '')));
  const lines = all.map((row) => {
    const cells = row.map((cell, column) =>
      isFigure[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    );
    return markdown ? `| ${cells.join(' | ')} |` : cells.join('  ').trimEnd();
  });
  const rule = widths.map((width, column) => (isFigure[column] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  lines.splice(1, 0, markdown ? `| ${rule.join(' | ')} |` : widths.map((width) => '-'.repeat(width)).join('  '));
  return lines.join('\n');
}
