/** Writes RESULTS.md and the plots beside a `results.json`. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import { chartsOf } from './charts.ts'
import { renderMarkdown } from './markdown.ts'
import type { Results } from './results.ts'

export async function writeReport(directory: string, results: Results): Promise<void> {
  const plotDirectory = join(directory, 'plots')
  // A plot of a row that was not measured this time would be taken for one of this run.
  rmSync(plotDirectory, { recursive: true, force: true })
  mkdirSync(plotDirectory, { recursive: true })
  const plots = new Map<string, string>()
  for (const { file, row, specification } of chartsOf(results)) {
    writeFileSync(join(plotDirectory, file), await svgOf(specification))
    // Of two plots below one table the first one stands there.
    if (!plots.has(row)) plots.set(row, file)
  }
  writeFileSync(join(directory, 'RESULTS.md'), renderMarkdown(results, plots))
}

export async function svgOf(specification: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(specification).spec), { renderer: 'none' })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}
