/** A drawn line for terminals that take no UTF-8: each character that we draw with has one of ASCII, as wide as itself. */
export function inAscii(line: string): string {
  return line.replaceAll(/[▁-▏…]/g, (character) => ascii[character] ?? '?')
}

/** Of sparklines, of bars, and of values that were cut. */
const ascii: Readonly<Record<string, string>> = {
  ...{ '▁': '_', '▂': '.', '▃': ':', '▄': '-', '▅': '=', '▆': '+', '▇': '*', '█': '#' },
  ...{ '▉': '=', '▊': '=', '▋': '=', '▌': '=', '▍': '-', '▎': '-', '▏': '-' },
  '…': '~',
}
