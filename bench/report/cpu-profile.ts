/** Sums up a CPU profile of V8, in which every sample names a node of a call tree and the time since the sample before it. */

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: {
      readonly functionName: string
      readonly url: string
      /** From 0. */
      readonly lineNumber: number
    }
  }[]
  readonly samples: readonly number[]
  /** Microseconds. */
  readonly timeDeltas: readonly number[]
}

export interface SelfTimes {
  readonly busyMs: number
  readonly idleMs: number
  /** Largest first. */
  readonly byFile: readonly (readonly [file: string, ms: number])[]
  readonly byFunction: readonly (readonly [place: string, ms: number])[]
}

export function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): SelfTimes {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const byFile = new Map<string, number>()
  const byFunction = new Map<string, number>()
  let busyMs = 0
  let idleMs = 0
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id)
    const ms = (timeDeltas[index] ?? 0) / 1000
    if (frame === undefined) continue
    const { functionName, url, lineNumber } = frame
    if (functionName === '(idle)') {
      idleMs += ms
      continue
    }
    busyMs += ms
    // What has no file is the engine itself: (program), (garbage collector), built-in functions.
    const file = url === '' ? functionName || '(native)' : shortened(url)
    const place = url === '' ? file : `${functionName || '(anonymous)'} ${file}:${lineNumber + 1}`
    byFile.set(file, (byFile.get(file) ?? 0) + ms)
    byFunction.set(place, (byFunction.get(place) ?? 0) + ms)
  }
  return { busyMs, idleMs, byFile: largestFirst(byFile), byFunction: largestFirst(byFunction) }
}

/** From `src` or `node_modules` on. */
function shortened(url: string): string {
  const starts = [url.lastIndexOf('/node_modules/'), url.indexOf('/src/')]
  return url.slice((starts.find((start) => start >= 0) ?? -1) + 1)
}

function largestFirst(times: ReadonlyMap<string, number>): [string, number][] {
  return [...times].sort(([, a], [, b]) => b - a)
}
