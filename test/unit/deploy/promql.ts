/**
 * What an expression of PromQL asks for: names of metrics, and labels. No parser: promtool judges the syntax; this finds the words that
 * are neither functions nor keywords.
 */

export interface Selector {
  readonly metric: string
  /** Those that its matchers name. */
  readonly labels: readonly string[]
}

export interface Used {
  readonly selectors: readonly Selector[]
  /** Labels by which is grouped or matched. */
  readonly grouping: readonly string[]
}

const keywords = new Set([
  'and',
  'or',
  'unless',
  'offset',
  'bool',
  'inf',
  'nan',
  'on',
  'ignoring',
  'by',
  'without',
])
const grouped = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g
const word = /[a-zA-Z_:][a-zA-Z0-9_:]*/y

export function usedBy(expression: string): Used {
  const withoutTexts = expression.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')
  const grouping = [...withoutTexts.matchAll(grouped)].flatMap(([, names = '']) =>
    names
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  )
  // What is left: operators, numbers, functions, and metrics with their matchers. Ranges and durations go.
  const rest = withoutTexts
    .replaceAll(grouped, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(/\boffset\s+\S+/g, ' ')
  return { selectors: selectorsIn(rest), grouping }
}

function selectorsIn(text: string): Selector[] {
  const selectors: Selector[] = []
  for (let at = 0; at < text.length; ) {
    word.lastIndex = at
    const [name] = word.exec(text) ?? []
    if (name === undefined) {
      // A number such as 1e3 is no word.
      at += /^[0-9.]+(?:e[0-9]+)?/i.exec(text.slice(at))?.[0].length ?? 1
      continue
    }
    at += name.length
    const [, matchers, call] = /^\s*(?:\{([^}]*)\}|(\())?/.exec(text.slice(at)) ?? []
    if (call === undefined && !keywords.has(name.toLowerCase()))
      selectors.push({
        metric: name,
        labels: [...(matchers ?? '').matchAll(/([a-zA-Z_]\w*)\s*[=!]/g)].map(([, label = '']) => label),
      })
    // The matchers are no metrics.
    if (matchers !== undefined) at = text.indexOf('}', at) + 1
  }
  return selectors
}
