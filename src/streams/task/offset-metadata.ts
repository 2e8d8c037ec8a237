/**
 * The metadata string that goes with a committed offset: JSON, `t` being the stream time (ms) of the task at that
 * offset. It lets a task without a store know the stream time after a restart.
 */
export function encodeOffsetMetadata(streamTime: number | null): string {
  return JSON.stringify({ v: 1, t: streamTime })
}

/** The stream time in it, or null; metadata of another origin says nothing. */
export function streamTimeOf(metadata: string): number | null {
  if (!metadata.startsWith('{"v":1,')) return null
  const { t } = JSON.parse(metadata) as { t?: unknown }
  return typeof t === 'number' ? t : null
}
