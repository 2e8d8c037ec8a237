/**
 * The metadata string that goes with a committed offset: JSON, `t` being the highest event time (ms) before that
 * offset. It lets a task without a store know the stream time after a restart.
 */
export function encodeOffsetMetadata(highestEventTime: number | null): string {
  return JSON.stringify({ v: 1, t: highestEventTime })
}

/** The event time in it, or null; metadata of another origin says nothing. */
export function highestEventTimeOf(metadata: string): number | null {
  if (!metadata.startsWith('{"v":1,')) return null
  const { t } = JSON.parse(metadata) as { t?: unknown }
  return typeof t === 'number' ? t : null
}
