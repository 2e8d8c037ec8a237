/** The counts that this instance owns, as gauges: under the names of earlier systems' dashboards, and what is missing in them. */
import { Gauge, Registry } from 'prom-client'
import { TOTAL_KEY } from '../domain/dimensions.ts'
import { metricPrefix } from './metric-prefix.ts'
import { mostSeries, type OwnedCounts } from './owned-counts.ts'
import type { PlainMetrics } from './thread-metrics.ts'

/** `dimensions`: those that have a metric. */
export async function countGauges(
  owned: readonly OwnedCounts[],
  { inputTopic: topic, dimensions }: { readonly inputTopic: string; readonly dimensions: readonly string[] },
): Promise<PlainMetrics> {
  const registry = new Registry()
  const gauge = (name: string, help: string, labelNames: readonly string[]) =>
    new Gauge({ name, help, labelNames, registers: [registry] })

  const total = gauge('total_count', 'Logins counted, by the owner of the total.', ['record_type', 'topic'])
  const unexported = gauge(
    `${metricPrefix}unexported_values`,
    `Values that this instance owns and that are missing in the count of the dimension, at least; not 0: sums of that are too low.`,
    ['dimension'],
  )
  const byDimension = new Map(
    dimensions.map((name) => [
      name,
      gauge(
        `${name}_count`,
        `Logins counted by ${name}, by the owners of the rows: of each instance the ${mostSeries} values with the most.`,
        [name, 'topic'],
      ),
    ]),
  )
  for (const { dimension, counts, leftOut } of owned) {
    const [first] = counts
    if (dimension === TOTAL_KEY && first !== undefined)
      total.set({ record_type: 'valid', topic }, first.count)
    const its = byDimension.get(dimension)
    if (its === undefined) continue
    unexported.set({ dimension }, leftOut)
    for (const { value, count } of counts) its.set({ [dimension]: value, topic }, count)
  }
  return (await registry.getMetricsAsJSON()) as PlainMetrics
}
