/** Rows as aligned columns, the heading underlined by nothing but its place; numbers go right. */
export function formatTable(heading: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const lines = [heading, ...rows].map(row => row.map(String))
  const widths = heading.map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0)))
  const numeric = heading.map((_, column) => rows.length > 0 && rows.every(row => typeof row[column] === 'number'))
  return lines
    .map(line =>
      line
        .map((cell, column) => (numeric[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}

/** A peer id short enough for a table and long enough to tell peers apart. */
export function shortPeer(peer: string): string {
  return peer.length <= 12 ? peer : `…${peer.slice(-8)}`
}
