/**
 * Where the time of CPU profiles goes, by file and by function: self time, as a share of the time in which the thread was not
 * idle. Prints Markdown.
 *
 *   node bench/profile.ts DIRECTORY [number of lines]
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CpuProfile, selfTimes } from './report/cpu-profile.ts'

const [directory = '.', lines = '25'] = process.argv.slice(2)

for (const name of readdirSync(directory).filter((one) => one.endsWith('.cpuprofile'))) {
  const profile = JSON.parse(readFileSync(join(directory, name), 'utf8')) as CpuProfile
  const { busyMs, idleMs, byFile, byFunction } = selfTimes(profile)
  console.log(`\n## ${name}: ${Math.round(busyMs)} ms busy, ${Math.round(idleMs)} ms idle\n`)
  for (const [what, times] of [['file', byFile] as const, ['function', byFunction] as const]) {
    console.log(`| ${what} | share | ms |\n|---|---|---|`)
    for (const [place, ms] of times.slice(0, Number(lines)))
      console.log(`| ${place} | ${((100 * ms) / busyMs).toFixed(1)} % | ${Math.round(ms)} |`)
    console.log()
  }
}
