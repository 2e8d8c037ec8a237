/** What the process asks its stream threads, and how they answer. */
import type { Streams } from '../streams/index.ts'
import { type OwnedCounts, ownedByAll, ownedCounts } from './metrics/owned-counts.ts'
import type { PlainMetrics, ThreadMetrics } from './metrics/thread-metrics.ts'

export type ThreadQuestion =
  | { readonly about: 'metrics' }
  | { readonly about: 'counts'; readonly dimensions: readonly string[] }

/** The thread's side. */
export async function answer(
  question: ThreadQuestion,
  { streams, metrics }: { readonly streams: Streams; readonly metrics: ThreadMetrics },
): Promise<PlainMetrics | OwnedCounts[]> {
  switch (question.about) {
    case 'metrics':
      return metrics.collect()
    case 'counts':
      return ownedCounts(streams, question.dimensions)
  }
}

/** Whoever can ask all threads of the process. */
export interface Askable {
  ask(question: ThreadQuestion): Promise<unknown[]>
}

export async function threadMetricsOf(threads: Askable): Promise<PlainMetrics[]> {
  return (await threads.ask({ about: 'metrics' })) as PlainMetrics[]
}

export async function ownedCountsOf(threads: Askable, dimensions: readonly string[]): Promise<OwnedCounts[]> {
  return ownedByAll((await threads.ask({ about: 'counts', dimensions })) as OwnedCounts[][])
}
