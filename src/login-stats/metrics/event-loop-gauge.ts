import { Gauge, type Registry } from 'prom-client'
import { watchEventLoop } from '../../system/event-loop-lag.ts'
import { metricPrefix } from './metric-prefix.ts'

/** The process's own thread, where the stream threads are others. */
export const mainThread = 'main'

/** How late the event loop of the thread is that calls this, under the label `thread`. Returns how to stop watching it. */
export function addEventLoopGauge(registry: Registry, thread: string): () => void {
  const { read, stop } = watchEventLoop()
  const gauge = new Gauge({
    name: `${metricPrefix}event_loop_lag_seconds`,
    help: `By how much the event loop of the thread was late since the last look, by quantile; ${mainThread}: the process's own, where the stream threads are others.`,
    labelNames: ['thread', 'quantile'],
    registers: [registry],
    collect: () => {
      const { p50, p99, max } = read()
      gauge.set({ thread, quantile: '0.5' }, p50)
      gauge.set({ thread, quantile: '0.99' }, p99)
      gauge.set({ thread, quantile: 'max' }, max)
    },
  })
  return stop
}
