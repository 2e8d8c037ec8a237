/**
 * What processes and their children take, from /proc: the highest sum of their resident memory, looked at ten times a second, and the
 * CPU time of those that were seen. Where there is no /proc nothing is known.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { systemClock } from '../../src/system/clock.ts'

const sampleMs = 100
/** Looking for children means a look at every thread, so it is done less often. */
const samplesPerSearch = 10
/** `USER_HZ`, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

export interface Usage {
  readonly peakRssBytes: number | null
  readonly cpuSeconds: number | null
  /** Every look at the resident memory; `time` by the clock's `monotonic`. */
  readonly memory: readonly { readonly time: number; readonly bytes: number }[]
}

export class UsageSampler {
  readonly #roots: () => readonly number[]
  readonly #cpuSeconds = new Map<number, number>()
  #pids: readonly number[] = []
  #samples = 0
  #peakRssBytes = 0
  readonly #memory: { readonly time: number; readonly bytes: number }[] = []
  #isStopped = false

  /** `roots` is asked again and again, so that processes may come and go. */
  constructor(roots: () => readonly number[]) {
    this.#roots = roots
    void this.#run()
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#sample()
      await systemClock.sleep(sampleMs)
    }
  }

  #sample(): void {
    const roots = this.#roots()
    if (this.#samples++ % samplesPerSearch === 0) this.#pids = roots.flatMap(treeOf)
    else this.#pids = [...new Set([...roots, ...this.#pids])]
    let rss = 0
    for (const pid of this.#pids) {
      rss += residentBytes(pid) ?? 0
      const seconds = cpuSeconds(pid)
      if (seconds !== null) this.#cpuSeconds.set(pid, seconds)
    }
    this.#peakRssBytes = Math.max(this.#peakRssBytes, rss)
    if (rss > 0) this.#memory.push({ time: systemClock.monotonic(), bytes: rss })
  }

  /** Looks once more, and ends; to be called before the processes are gone. */
  stop(): Usage {
    this.#sample()
    this.#isStopped = true
    const isKnown = this.#peakRssBytes > 0
    const seconds = [...this.#cpuSeconds.values()].reduce((sum, value) => sum + value, 0)
    return {
      peakRssBytes: isKnown ? this.#peakRssBytes : null,
      cpuSeconds: isKnown ? seconds : null,
      memory: this.#memory,
    }
  }
}

function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)]
}

function childrenOf(pid: number): number[] {
  const threads = attempt(() => readdirSync(`/proc/${pid}/task`)) ?? []
  return threads.flatMap((thread) => {
    const text = attempt(() => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')) ?? ''
    return text.split(' ').filter(Boolean).map(Number)
  })
}

function residentBytes(pid: number): number | null {
  const status = attempt(() => readFileSync(`/proc/${pid}/status`, 'utf8'))
  const kilobytes = /VmRSS:\s+(\d+)/.exec(status ?? '')?.[1]
  return kilobytes === undefined ? null : Number(kilobytes) * 1024
}

function cpuSeconds(pid: number): number | null {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  if (stat === null) return null
  // The name of the program, in parentheses, may contain blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Null for what is gone, or was never there. */
function attempt<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}
