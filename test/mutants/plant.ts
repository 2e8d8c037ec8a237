/**
 * Plants the mutant that MUTANT names, for a process that is started with `--import` of this file:
 *
 *   MUTANT=store-before-commit node --import ./test/mutants/plant.ts test/simulation/simulate.ts --seeds 100
 *
 * The text of the sources is changed while it is loaded; the files stay as they are, and what runs without this file knows nothing
 * of mutants. A mutant that cannot be planted, or whose files are never loaded, fails the process.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { findMutant } from './mutants.ts'
import { mutated, pathOf } from './planting.ts'

const mutant = findMutant(process.env.MUTANT ?? '')
const sources = new Map(
  [...new Set(mutant.edits.map(({ file }) => file))].map((file) => {
    const path = pathOf(file)
    return [pathToFileURL(path).href, mutated(mutant, file, readFileSync(path, 'utf8'))]
  }),
)
const waiting = new Set(sources.keys())

registerHooks({
  load(url, context, nextLoad) {
    const source = sources.get(url)
    if (source === undefined) return nextLoad(url, context)
    waiting.delete(url)
    return { format: 'module-typescript', source, shortCircuit: true }
  },
})

process.on('exit', () => {
  if (waiting.size === 0) return
  process.stderr.write(
    `The mutant ${mutant.name} was not planted: ${[...waiting].join(', ')} was not loaded.\n`,
  )
  process.exitCode = 70
})
