/** RESULTS.md, from the raw figures. */
import { spreadOf } from '../measure/statistics.ts'
import { growingRows, type Row, rows } from '../rows/index.ts'
import { type Aim, aims, outcomeOf } from './aims.ts'
import { formatSpread, formatValue, labelOf, shortNumber } from './format.ts'
import { type Results, valuesOf, variantsOf } from './results.ts'

/** The metrics of a table, the first of which is what the row is about; those that nobody has are left out. */
const metricsOf: Readonly<Record<string, readonly string[]>> = {
  latency: ['p50Ms', 'p95Ms', 'p99Ms', 'maxMs', 'writeP99Ms', 'probes'],
  'hot-partition': [
    ...['loginsPerSecond', 'backlogP50Ms', 'backlogP99Ms', 'afterP50Ms', 'afterP99Ms'],
    ...['backlogLoginsPerCommit', 'afterLoginsPerCommit', 'backlogCommitsPerSecond', 'afterCommitsPerSecond'],
    ...['peakRssMB', 'writeP99Ms', 'probes'],
  ],
  restore: ['restoreSeconds', 'keysPerSecond', 'recordsPerSecond', 'countsAgainSeconds', 'keys'],
  'restore-size': ['restoreSeconds', 'keysPerSecond', 'countsAgainSeconds', 'keys'],
  start: ['firstCommitSeconds'],
  restart: ['nextCommitSeconds', 'allPartitionsSeconds'],
}
const backlogMetrics = [
  'loginsPerSecond',
  'seconds',
  'firstRowSeconds',
  'cpuSeconds',
  'peakRssMB',
  'logins',
  'keys',
]

/** `plots`: names of the plots that stand beside it, by row. */
export function renderMarkdown(results: Results, plots: ReadonlyMap<string, string>): string {
  const measured = rows.filter(({ name }) => variantsOf(results, name).length > 0)
  const main = measured.filter(({ name }) => !growingRows.has(name))
  const growing = measured.filter(({ name }) => growingRows.has(name))
  return [
    '# Results',
    '',
    'Made by `npm run bench`, rendered from `results.json`; how each row is measured is told in [README.md](README.md).',
    ...(results.quick
      ? ['', '**A quick run: too small to compare anything. It shows that every row works.**']
      : []),
    '',
    ...conditions(results),
    ...failures(results),
    '## Aims',
    '',
    ...aimsTable(results),
    ...main.flatMap((row) => section(results, row, plots)),
    ...(growing.length === 0 ? [] : ['## How the cost grows', '']),
    ...growing.flatMap((row) => section(results, row, plots)),
  ].join('\n')
}

function conditions(results: Results): string[] {
  const { startedAt, endedAt, revision, repeats, logins, machine, systems, skipped } = results
  return [
    `- ${startedAt.slice(0, 16).replace('T', ' ')} to ${endedAt.slice(0, 16).replace('T', ' ')} UTC` +
      `${revision === null ? '' : `, commit ${revision}`}; ${repeats} ${repeats === 1 ? 'round' : 'rounds'}, ${logins.toLocaleString('en')} logins in the first rows`,
    ...Object.entries(machine).map(([name, value]) => `- ${name}: ${value}`),
    ...systems.map(({ title, version }) => `- **${title}**: ${version}`),
    ...skipped.map(({ title, reason }) => `- **${title}** was left out: ${reason}`),
    '- Medians, with the smallest and the largest in parentheses. Figures hold for this machine and hour; ratios are what counts.',
    '',
  ]
}

function failures({ measurements }: Results): string[] {
  const failed = measurements.filter(({ failure }) => failure !== undefined)
  if (failed.length === 0) return []
  return [
    '## Failed',
    '',
    ...failed.map(({ row, variant, system, repeat, failure }) => {
      const place = [row, variant, system, `round ${repeat}`].filter(Boolean).join(', ')
      return `- ${place}: ${failure?.split('\n')[0] ?? ''}`
    }),
    '',
  ]
}

function aimsTable(results: Results): string[] {
  const lines = aims.flatMap((aim) => aimLine(results, aim))
  return lines.length === 0
    ? ['Nothing that the aims are about was measured.', '']
    : ['| work | ours | theirs | ratio | aim | |', '|---|---|---|---|---|---|', ...lines, '']
}

function aimLine(results: Results, aim: Aim): string[] {
  const outcome = outcomeOf(results, aim)
  if (outcome === null) return []
  const rival = results.systems.find(({ name }) => name === aim.rival)?.title ?? aim.rival
  const { ours, theirs, ratio, isMet } = outcome
  const [own, other] = [ours, theirs].map((value) => formatValue(aim.metric, value))
  const aimed = aim.factor === null ? 'reported' : `${aim.factor} x`
  const verdict = isMet === null ? '' : isMet ? 'met' : '**not met**'
  return [`| ${aim.what} | ${own} | ${other} (${rival}) | ${shortNumber(ratio)} x | ${aimed} | ${verdict} |`]
}

function section(results: Results, row: Row, plots: ReadonlyMap<string, string>): string[] {
  const plot = plots.get(row.name)
  const level = growingRows.has(row.name) ? '###' : '##'
  return [
    `${level} ${row.title}`,
    '',
    row.about,
    '',
    ...table(results, row),
    '',
    ...(plot === undefined ? [] : [`![${row.title}](plots/${plot})`, '']),
  ]
}

function table(results: Results, { name: row, axis }: Row): string[] {
  const variants = variantsOf(results, row)
  const measured = new Set(
    results.measurements.filter((one) => one.row === row).flatMap(({ values }) => Object.keys(values)),
  )
  const metrics = (metricsOf[row] ?? backlogMetrics).filter((metric) => measured.has(metric))
  const head = ['system', ...(axis === undefined ? [] : [axis]), ...metrics.map(labelOf)]
  const body = results.systems.flatMap(({ name, title }) =>
    variants
      .filter((variant) => results.measurements.some((one) => isOf(one, row, name, variant)))
      .map((variant) => [
        title,
        ...(axis === undefined ? [] : [variant]),
        ...metrics.map((metric) => {
          const spread = spreadOf(valuesOf(results, row, name, metric, variant))
          return spread === null ? '-' : formatSpread(metric, spread)
        }),
      ]),
  )
  return [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`)
}

function isOf(one: Results['measurements'][number], row: string, system: string, variant: string): boolean {
  return one.row === row && one.system === system && one.variant === variant
}
