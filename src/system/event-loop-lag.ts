import { monitorEventLoopDelay } from 'node:perf_hooks'

/** By how much the event loop was late, in seconds. */
export interface EventLoopLag {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const resolutionMs = 20
const nanosecondsPerSecond = 1e9

/** Watches the event loop of the thread that calls it. `read` tells of the time since it was last called. */
export function watchEventLoop(): { read(): EventLoopLag; stop(): void } {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs })
  histogram.enable()
  // The timer behind it is due each `resolutionMs`; what it measures includes that.
  const seconds = (nanoseconds: number): number =>
    Math.max(0, nanoseconds / nanosecondsPerSecond - resolutionMs / 1000)
  return {
    read: () => {
      const hasAny = histogram.count > 0
      const lag = {
        p50: hasAny ? seconds(histogram.percentile(50)) : 0,
        p99: hasAny ? seconds(histogram.percentile(99)) : 0,
        max: hasAny ? seconds(histogram.max) : 0,
      }
      histogram.reset()
      return lag
    },
    stop: () => void histogram.disable(),
  }
}
